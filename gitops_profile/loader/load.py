"""A tree of files as documents and problems; a change reads, parses and renders only what it concerns.

A `Load` works on top of what the Loader has accepted and leaves that untouched until it is accepted itself, so a
rejected revision leaves no trace.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from gitops_profile.presentity import ProfileDocument, ProfileKey, ProfileType

from .aliases import places_of_aliases, read_aliases
from .bases import Bases, base_name, read_base
from .build import Builder
from .concern import concerned, retold
from .credentials import CredentialFinder
from .layout import DOCUMENTS, SETTINGS, Kind, key_of_path, kind_of, leaves_tree
from .lfs import IS_LFS_POINTER, LFS_POINTER
from .manifest import read_defaults, read_manifest
from .overlay import fold, hide, overlay
from .problem import Problem, UnreadableProfile
from .settings import RepositorySettings, read_settings
from .state import FileEntryLike, State
from .template import Templates

MAX_FILE = 1 << 20
"""Bytes of one file."""
_TOGETHER = 50
"""Manifests that are read before their documents are made: a processor that does the one for a while, then the other,
does both in 59 µs in place of 80."""
_FORBIDDEN = "forbidden-file"
_TOO_LARGE = b"\0 too large"
_READ_LATER = (*DOCUMENTS, Kind.BASE, Kind.IGNORED)
Progress = Callable[[str, int, int], None]
Made = Callable[[ProfileDocument], None]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load found."""

    documents: dict[ProfileKey, ProfileDocument]
    """All of them after a whole load, the ones made again after a change."""
    removed: frozenset[ProfileKey]
    problems: tuple[Problem, ...]
    whole: bool
    settings: RepositorySettings


class Loader:
    """Loads one profile repository, revision after revision."""

    def __init__(self) -> None:
        self.accepted = State()

    def whole(self, files: Iterable[FileEntryLike], *, makes: bool = True) -> "Load":
        """A load of everything, whatever was accepted before.

        One that makes nothing finds out what the next load builds on: no plain document is read for it, and no
        manifest rendered. It is for files that have been loaded before; most problems would not be found.
        """
        return Load(self, State(), list(files), [], whole=True, makes=makes)

    def change(self, changed: Iterable[FileEntryLike], removed: Iterable[str]) -> "Load":
        """A load of what differs from the accepted one. New settings concern everything."""
        changed, removed = list(changed), list(removed)
        if any(path == SETTINGS for path in [*removed, *(file.path for file in changed)]):
            gone = frozenset(removed)
            files = {path: file for path, file in self.accepted.files.items() if path not in gone}
            files |= {file.path: file for file in changed}
            return self.whole(files.values())
        return Load(self, self.accepted, changed, removed, whole=False)


def surely_read(files: Iterable[FileEntryLike]) -> list[str]:
    """Ids of blobs of documents, which a load of these changed files reads whatever else it finds."""
    return [file.blob for file in files if kind_of(file.path) in DOCUMENTS and file.mode.startswith("100")]


class Load:
    """One load: `wanted` and `supply` until nothing is wanted, then `finish`, then `accept` or forget it."""

    def __init__(
        self,
        loader: Loader,
        before: State,
        changed: list[FileEntryLike],
        removed: list[str],
        *,
        whole: bool,
        makes: bool = True,
    ) -> None:
        self._loader = loader
        self._before = before
        self._whole = whole
        self._makes = makes
        self._removed = removed
        self._problems: list[Problem] = []
        self._kinds: dict[str, Kind] = {}
        """Of the files that changed and may be read."""
        self._changed = {file.path: file for file in changed if self._admit(file)}
        self._documents = sorted(p for p, kind in self._kinds.items() if kind in DOCUMENTS)
        # Whom that concerns besides was asked three times, for 45 ms of a change of 10 000 documents.
        kinds = chain(self._kinds.values(), map(kind_of, removed))
        self._only_documents = not whole and all(kind in DOCUMENTS for kind in kinds)
        self._blobs: dict[str, bytes] = {}
        self._coming: Iterator[tuple[str, bytes]] = iter(())
        self._all_changed = changed
        over = not whole
        self.state = State(
            files=overlay(before.files, over), manifests=overlay(before.manifests, over),
            defaults=overlay(before.defaults, over), sources=dict(before.sources), data=dict(before.data),
            settings=before.settings, owners=overlay(before.owners, over), keys=overlay(before.keys, over),
            templates=before.templates, bases=before.bases,
        )  # fmt: skip

    @property
    def is_whole(self) -> bool:
        """Whether it loads everything."""
        return self._whole

    @property
    def is_settled(self) -> bool:
        """Whether it wants what it wants from the beginning: of a change of documents nothing else needs be known."""
        return self._whole or self._only_documents

    def _content(self, path: str) -> bytes:
        """What was supplied for a file; raises UnreadableProfile."""
        blob, blobs = self._file(path).blob, self._blobs
        if blob not in blobs:
            for id_, content in self._coming:
                blobs[id_] = content if len(content) <= MAX_FILE else _TOO_LARGE
                if id_ == blob:
                    break
        content = blobs[blob]
        if content is _TOO_LARGE:
            what = f"is too large; at most {MAX_FILE} bytes are allowed"
            raise UnreadableProfile(Problem(path, 0, 0, what, rule=_FORBIDDEN))
        if content.startswith(LFS_POINTER):
            raise UnreadableProfile(Problem(path, 0, 0, *IS_LFS_POINTER, _FORBIDDEN))
        return content

    def wanted(self) -> list[str]:
        """Ids of the blobs that must be read; empty when there is nothing more to read."""
        # In the order in which `finish` asks for them.
        shared = (self._changed[path].blob for path, kind in self._kinds.items() if kind not in DOCUMENTS)
        documents = (path for path in self._documents if self._makes or self._kinds[path] is not Kind.PLAIN)
        wanted = dict.fromkeys(chain(shared, (self._changed[path].blob for path in documents)))
        if not self.is_settled:
            wanted |= dict.fromkeys(self._file(p).blob for p in self._affected() if self._kind(p) is Kind.PLAIN)
        return [blob for blob in wanted if blob not in self._blobs]

    def supply(self, blobs: Mapping[str, bytes]) -> None:
        """Content of wanted blobs."""
        for blob, content in blobs.items():
            # Whoever did not know the size before finds it here.
            self._blobs[blob] = content if len(content) <= MAX_FILE else _TOO_LARGE

    def supply_while_finishing(self, found: Iterator[tuple[str, bytes]]) -> None:
        """Content of all the wanted blobs of a settled load, in their order: each is taken when its file's turn comes.

        So git reads the next documents while these are made: 100 000 plain ones took 4.1 s in place of 6.4.
        """
        self._coming = found

    def finish(self, progress: Progress | None = None, made: Made | None = None) -> LoadResult:
        """Parse and render what this load concerns.

        `progress(path, done, total)` is called before each file; it may raise UnreadableProfile to leave the file out.
        `made` is given each document as soon as it is there, whatever is wrong with others.
        """
        shared = [p for p, kind in self._kinds.items() if kind not in _READ_LATER]
        for path in shared:
            self._read_shared(path, progress)
        affected = self._affected()
        self._forget_removed()
        self._read_bases(progress)
        if any(self._kind(p) is Kind.TEMPLATE for p in (*self._changed, *self._removed)):
            self.state.templates = Templates(self.state.sources)
            for path in sorted(p for p, kind in self._kinds.items() if kind is Kind.TEMPLATE):
                name = path.removeprefix("templates/")
                try:
                    self._tell(progress, path, 0, len(affected))
                    if name in self.state.templates:
                        self._problems += self.state.templates.problems(name)
                except UnreadableProfile as error:
                    self._problems += error.problems
        self._problems += self.state.bases.without_template(self.state.sources)
        documents = self._build(affected, progress, made)
        gone = self._gone(documents, affected)
        for file in self._all_changed:
            self.state.files[file.path] = file
        problems = tuple(sorted(set(self._problems)))
        return LoadResult(documents, gone, problems, self._whole, self.state.settings)

    def credentials(self, documents: Iterable[ProfileDocument]) -> tuple[Problem, ...]:
        """Warnings about what `finish` has made, for `check`; see CredentialFinder."""
        return CredentialFinder(self.state).find(documents)

    def accept(self) -> None:
        """Make this load the one that the next builds on."""
        if self._whole:
            self._loader.accepted = self.state
            return
        accepted = self._loader.accepted
        for name in ("files", "manifests", "defaults", "owners", "keys"):
            fold(getattr(accepted, name), getattr(self.state, name))
        for name in ("bases", "sources", "data", "templates"):
            setattr(accepted, name, getattr(self.state, name))

    # -- what is concerned ---------------------------------------------------------------------------------------

    def _admit(self, file: FileEntryLike) -> bool:
        """Whether a file may be read at all; what may not is a problem."""
        if leaves_tree(file.path):
            self._problems.append(
                Problem(file.path, 0, 0, "has a path that leaves the tree", "remove it from git", "path")
            )
            return False
        kind = kind_of(file.path)
        if kind is Kind.IGNORED:
            return False
        if file.mode == "100644" and (file.size or 0) <= MAX_FILE:
            self._kinds[file.path] = kind  # nearly all
            return True
        if file.mode == "120000":
            what = "is a symbolic link", "put the file itself here"
        elif file.mode == "160000":
            what = "is a submodule", "put the files themselves here"
        elif (file.size or 0) > MAX_FILE:
            what = f"is {file.size} bytes long; at most {MAX_FILE} are allowed", ""
        else:
            self._kinds[file.path] = kind
            return True
        self._problems.append(Problem(file.path, 0, 0, *what, _FORBIDDEN))
        return False

    def _kind(self, path: str) -> Kind:
        return self._kinds.get(path) or kind_of(path)

    def _affected(self) -> list[str]:
        """Paths of the documents that this load makes again."""
        if self.is_settled:
            return self._documents
        moved = [*self._changed, *self._removed]
        others = concerned(self._before, moved) | retold(self._before, moved, self._supplied)
        if not others:
            return self._documents
        return sorted(others.union(self._documents).difference(self._removed))

    def _supplied(self, path: str) -> bytes | None:
        file = self._changed.get(path)
        return self._blobs.get(file.blob) if file is not None else None

    def _file(self, path: str) -> FileEntryLike:
        return self._changed.get(path) or self._before.files[path]

    # -- reading -------------------------------------------------------------------------------------------------

    def _read_shared(self, path: str, progress: Progress | None) -> None:
        try:
            self._tell(progress, path, 0, 0)
            content = self._content(path)
            match kind_of(path):
                case Kind.SETTINGS:
                    self.state.settings = read_settings(path, content)
                case Kind.DEFAULTS:
                    self.state.defaults[path.rpartition("/")[0]] = read_defaults(path, content)
                case Kind.TEMPLATE:
                    self.state.sources[path.removeprefix("templates/")] = content.decode()
                case Kind.DATA:
                    self.state.data[path] = content
        except UnreadableProfile as error:
            self._problems += error.problems
        except UnicodeDecodeError:
            self._problems.append(Problem(path, 0, 0, "a template must be UTF-8 text", rule=_FORBIDDEN))

    def _read_bases(self, progress: Progress | None) -> None:
        """The bases of this state; a change of any one may change what the others extend."""
        moved = [p for p in (*self._removed, *(f.path for f in self._all_changed)) if self._kind(p) is Kind.BASE]
        if not moved:
            return
        read = {**self._before.bases.read, **dict.fromkeys(map(base_name, moved))}
        for path in self._removed:
            if kind_of(path) is Kind.BASE:
                read.pop(base_name(path), None)
        for path in (p for p in moved if p in self._changed):
            try:
                self._tell(progress, path, 0, 0)
                read[base_name(path)] = read_base(path, self._content(path))
            except UnreadableProfile as error:
                self._problems += error.problems
        self.state.bases = Bases(read)
        self._problems += self.state.bases.problems

    def _forget_removed(self) -> None:
        for path in self._removed:
            match kind_of(path):
                case Kind.DEFAULTS:
                    self.state.defaults.pop(path.rpartition("/")[0], None)
                case Kind.TEMPLATE:
                    self.state.sources.pop(path.removeprefix("templates/"), None)
                case Kind.DATA:
                    self.state.data.pop(path, None)
            self.state.files.pop(path, None)
            self.state.manifests.pop(path, None)

    def _build(
        self, affected: list[str], progress: Progress | None, made: Made | None
    ) -> dict[ProfileKey, ProfileDocument]:
        builder = Builder(self.state)
        if not self._whole:
            paths = [*self._removed, *affected]
            hide(self.state.owners, chain.from_iterable(self._before.keys.get(path, ()) for path in paths))
            hide(self.state.keys, paths)
        documents: dict[ProfileKey, ProfileDocument] = {}
        for start in range(0, len(affected), _TOGETHER):
            some = affected[start : start + _TOGETHER]
            unread = self._read_manifests(some, progress, start, len(affected))
            for done, path in enumerate(some, start):
                if path in unread:
                    continue
                try:
                    self._tell(progress, path, done, len(affected))
                    document = self._document_of(path, builder)
                    if document is not None:
                        documents[document.key] = document
                        if made is not None:
                            made(document)
                except UnreadableProfile as error:
                    self._problems += error.problems
        return documents

    def _read_manifests(self, paths: list[str], progress: Progress | None, done: int, total: int) -> set[str]:
        """Read those of the paths that are manifests and changed; the ones of them that cannot be read."""
        unread = set()
        for path in paths:
            if path in self._changed and self._kind(path) is Kind.MANIFEST:
                try:
                    self._tell(progress, path, done, total)
                    self.state.manifests[path] = read_manifest(path, self._content(path))
                except UnreadableProfile as error:
                    self._problems += error.problems
                    unread.add(path)
        return unread

    def _document_of(self, path: str, builder: Builder) -> ProfileDocument | None:
        document = None
        if self._kind(path) is Kind.PLAIN:
            known = self._before.keys.get(path)  # a path names the same profile in every revision
            own = known[0] if known is not None else key_of_path(path)
            keys: tuple[ProfileKey, ...] = (own,)
            if self._makes:
                document = builder.plain(path, own, self._content(path))
        else:
            read = self.state.manifests[path]
            if self._makes:
                document = builder.from_manifest(path, read)
                keys = (document.key, *document.aliases)
            else:
                own = key_of_path(path)
                keys = (own, *read_aliases(path, read, own))
        conflicts = {key: said for key in keys if (said := self._conflict(path, keys[0], key)) is not None}
        if conflicts:
            places = places_of_aliases(self.state.manifests[path], keys[0]) if len(keys) > 1 else {}
            places[keys[0]] = (0, 0)
            raise UnreadableProfile(*(Problem(path, *places[key], *said) for key, said in conflicts.items()))
        for key in keys:
            self.state.owners[key] = path
        self.state.keys[path] = keys
        return document

    def _conflict(self, path: str, own: ProfileKey, key: ProfileKey) -> tuple[str, str, str] | None:
        """Why the document at `path` cannot have `key`, its own or an alias: message, hint and rule."""
        other = self.state.owners.get(key)
        if key.profile_type is ProfileType.DEVICE and key.name[:12] in self.state.settings.decoys:
            what = f"{key.name[:12]} is a decoy in {SETTINGS}: its phone would raise an alarm and be shut out"
            return what, "a decoy is a MAC that no phone has", "decoy"
        if other is None or other == path:
            return None
        verb = "made by" if self.state.keys[other][0] == key else "an alias in"
        if key == own:
            return f"{key} is also {verb} {other}", "one profile, one file: remove one of them", "duplicate-key"
        return f"alias: {key} is also {verb} {other}", "remove it in one of the two files", "duplicate-key"

    def _gone(self, documents: dict[ProfileKey, ProfileDocument], affected: list[str]) -> frozenset[ProfileKey]:
        if self._whole:
            return frozenset()
        # A path names the same profile in every revision, so what was made anew is not gone.
        paths = [*self._removed, *affected] if self._problems else self._removed
        before = {keys[0] for path in paths if (keys := self._before.keys.get(path))}
        return frozenset(key for key in before if key not in documents)

    @staticmethod
    def _tell(progress: Progress | None, path: str, done: int, total: int) -> None:
        if progress is not None:
            progress(path, done, total)
