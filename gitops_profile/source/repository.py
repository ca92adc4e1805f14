"""Read-only git: resolve a ref, list and read a tree, say which paths changed."""

import os
import posixpath
import re
import secrets
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import git
import msgspec

from .blame import blame_lines
from .errors import PathNotFound, SourceUnavailable
from .index import read_index, read_staged
from .lineage import brings_urgent, unseen_commits
from .opening import open_git, said
from .process import GitProcess, ObjectReader, Place
from .refs import OBJECT_ID, read_ref
from .revision import Revision, parse_commit

_OPERATOR = re.compile(r"[~^:]|@\{")
"""What makes an expression of a name: `main~1`, `main@{yesterday}`."""
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_GRAFT_FILE": os.devnull}


class FileEntry(msgspec.Struct, frozen=True, gc=False):
    """One file of a tree, its path relative to the profiles folder. A Struct is made in 0.05 µs, a dataclass in 0.5."""

    path: str
    mode: str
    """As git writes it: "100644", "100755", "120000" (a symlink), "160000" (a submodule)."""
    blob: str
    size: int | None = None
    """Bytes; None for a submodule, and for a blob whose content tells it soon enough."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two commits, inside the profiles folder. A rename is a removal and an addition."""

    changed: tuple[FileEntry, ...]
    removed: tuple[str, ...]


class Repository:
    """A repository on this machine: bare or not, a worktree, or a folder inside one. Not for two threads at once."""

    def __init__(self, location: Path, *, fetches: bool = True, longest: int | None = None) -> None:
        """`fetches`: whether git may ask a remote for an object that a partial clone does not have, with whatever
        program the repository's settings name for it. `longest`: how many bytes of a blob anybody wants to see; of a
        longer one `read_blobs` may give only so much that its length tells. Raises NotARepository.
        """
        # GIT_NO_LAZY_FETCH is of git 2.44
        self._repo = open_git(location, _ENVIRONMENT | ({} if fetches else {"GIT_ALLOW_PROTOCOL": "none"}))
        self._objects = ObjectReader(self._repo.git, self.place, longest)
        self._sizes = GitProcess(self._repo.git, self.place, "cat-file", "--batch-check=%(objectsize)")
        self._differs: dict[str, GitProcess] = {}

    @property
    def git_dir(self) -> Path:
        """Where this worktree's HEAD is."""
        return Path(self._repo.git_dir)

    @property
    def common_dir(self) -> Path:
        """Where the refs are; the same as `git_dir` outside linked worktrees."""
        return Path(self._repo.common_dir)

    @property
    def work_tree(self) -> Path | None:
        """The folder with the files; None for a bare repository."""
        folder = self._repo.working_tree_dir
        return Path(folder) if folder is not None else None

    @property
    def is_empty(self) -> bool:
        """Whether there is no ref at all yet."""
        refs = self.common_dir / "refs"
        loose = any(path.is_file() for path in refs.rglob("*")) if refs.is_dir() else False
        return not loose and not (self.common_dir / "packed-refs").exists()

    def place(self) -> Place:
        """Where it is on the disk: another place means that another repository was put there.

        Raises SourceUnavailable when it is gone: moved, deleted, or its disk not mounted.
        """
        folder = self._repo.working_dir
        try:
            os.stat(self.git_dir / "HEAD")
            found = [os.stat(folder), os.stat(self.common_dir)]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceUnavailable(f"the repository {folder} is gone; it is awaited there") from error
        except OSError as error:
            raise SourceUnavailable(f"the repository {folder} cannot be read: {error.strerror}") from error
        return tuple(number for place in found for number in (place.st_dev, place.st_ino))

    def resolve(self, ref: str) -> str | None:
        """The commit of a branch, tag, full ref name or commit id; None when there is none.

        A full name is that ref and no other. A branch goes before a tag of the same name: who may push a tag must not
        take a deployment over. No process is started for it. Raises SourceUnavailable.
        """
        found = self.find(ref)
        if found is not None:
            return self.peel(found[1])
        self.place()  # a repository that is gone has no refs either, and that means something else
        return self.peel(ref) if OBJECT_ID.fullmatch(ref) else None

    def find(self, ref: str) -> tuple[str, str] | None:
        """The full name of a branch or tag and the object that it is on, of a tag its own; raises SourceUnavailable."""
        full = ref == "HEAD" or ref.startswith("refs/")
        for name in [ref] if full else [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/remotes/{ref}"]:
            found = read_ref(self.git_dir, self.common_dir, name)
            if found is not None:
                return name, found
        return None

    def rev_parse(self, text: str) -> str | None:
        """The commit of anything that git understands, such as HEAD~2 or a short id; None when there is none.

        A name means the ref that it means for `resolve`. Raises SourceUnavailable.
        """
        found = self.resolve(text)
        if found is not None or (text.startswith("refs/") and not _OPERATOR.search(text)):
            return found
        try:
            out = self._repo.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
        except git.GitCommandError:
            return None
        return str(out).strip()

    def commit_before(self, commit: str, seconds: int) -> str | None:
        """The newest commit on the way to `commit` that was made by then (Unix seconds); None when none was.

        Only first parents are followed: what a merge brought in was not on the branch before it. Raises
        SourceUnavailable.
        """
        try:
            out = self._repo.git.rev_list("-1", "--first-parent", f"--min-age={seconds}", commit)
        except git.GitCommandError as error:
            raise SourceUnavailable(f"git rev-list of {commit} failed: {said(error)}") from error
        return str(out).strip() or None

    def revision(self, commit: str) -> Revision:
        """The commit; raises SourceUnavailable."""
        found = self._objects.read(commit)
        if found is None or found[0] != "commit":
            raise SourceUnavailable(f"commit {commit} is not in the repository")
        return parse_commit(commit, found[1])

    def read_object(self, object_id: str) -> tuple[str, bytes]:
        """Type and bytes of any object; raises SourceUnavailable."""
        found = self._objects.read(object_id)
        if found is None:
            raise SourceUnavailable(f"object {object_id} is not in the repository")
        return found

    def list_files(self, commit: str, path: str) -> list[FileEntry]:
        """Every file under `path` ("." is all); raises PathNotFound, SourceUnavailable."""
        folder = _normal(path)
        self._check_folder(commit, folder)
        tree = f"{commit}:{folder}" if folder else commit
        try:
            out = self._repo.git.ls_tree("-r", "-z", "-l", "--full-tree", tree, stdout_as_string=False)
        except git.GitCommandError as error:
            raise SourceUnavailable(f"git ls-tree of {commit} failed: {said(error)}") from error
        entries = []
        for line in out.split(b"\0"):
            if line:
                meta, _, name = line.partition(b"\t")
                mode, _, blob, size = meta.split()
                length = int(size) if size.isdigit() else None
                entries.append(FileEntry(_path(name), mode.decode(), blob.decode(), length))
        return entries

    def index_files(self, path: str) -> list[FileEntry]:
        """Every file under `path` as it is staged, without its size; raises SourceUnavailable."""
        return [FileEntry(*entry) for entry in read_index(self._repo.git, _normal(path))]

    def staged_paths(self, path: str) -> set[str]:
        """Paths under `path` of which the index differs from HEAD, removed ones too; raises SourceUnavailable."""
        return read_staged(self._repo.git, _normal(path))

    def changes(self, old_commit: str, new_commit: str, path: str) -> Changes:
        """What differs from one commit to another; raises SourceUnavailable, and PathNotFound like `list_files` when
        the new commit has no such folder: that is never a removal of every file in it.
        """
        folder = _normal(path)
        old, new = (self.revision(commit).tree for commit in (old_commit, new_commit))
        self._check_folder(new_commit, folder)
        prefix = f"{folder}/" if folder else ""
        changed, removed, start = list[tuple[str, str, str]](), list[str](), len(prefix)
        for meta, name in self._diff(old, new, prefix):
            if meta.endswith("D"):
                removed.append(name[start:])
            else:
                # ":100644 100644 OLD NEW M", and ids of 40 or 64 digits
                changed.append((name[start:], meta[8:14], meta[meta.rindex(" ", 0, -2) + 1 : -2]))
        # Of many blobs the contents will tell: to ask first took 33 ms for 10 000 of them, a third of the reading.
        few = len(changed) < ObjectReader.MANY
        sizes = self.sizes(blob for _, mode, blob in changed if mode != "160000") if few else {}
        return Changes(tuple(FileEntry(p, m, b, sizes.get(b)) for p, m, b in changed), tuple(removed))

    def sizes(self, blobs: Iterable[str]) -> dict[str, int]:
        """Bytes of each blob; raises SourceUnavailable."""
        wanted = list(dict.fromkeys(blobs))
        found: dict[str, int] = {}
        for start in range(0, len(wanted), ObjectReader.WINDOW):
            window = wanted[start : start + ObjectReader.WINDOW]
            self._sizes.write("".join(f"{blob}\n" for blob in window).encode())
            _, stdout = self._sizes.start()
            for blob in window:
                line = stdout.readline()
                if not line.strip().isdigit():
                    raise self._sizes.failed()
                found[blob] = int(line)
        return found

    def read_blobs(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Id and content of each blob, while git is reading the next ones; raises SourceUnavailable."""
        return self._objects.read_many(list(blobs))

    def read_file_at(self, commit: str, path: str) -> bytes | None:
        """One file, None when the commit has none such; raises SourceUnavailable."""
        if "\n" in path:
            return None
        found = self._objects.read(f"{commit}:{path}")
        return found[1] if found is not None and found[0] == "blob" else None

    def blame(self, commit: str | None, path: str, lines: Collection[int]) -> dict[int, str | None]:
        """The commit that last changed each of these lines of a file, None for one that is not committed yet.

        Without a commit the file is looked at as it is in the work tree. Raises SourceUnavailable.
        """
        self.place()
        return blame_lines(self._repo.git, commit, path, lines)

    def is_ancestor(self, old_commit: str, new_commit: str) -> bool:
        """Whether the new commit's history holds the old one; False when the old one is gone.

        Raises SourceUnavailable.
        """
        self.place()
        try:
            self._repo.git.merge_base("--is-ancestor", old_commit, new_commit)
        except git.GitCommandError as error:
            if error.status == 1 or self._objects.read(old_commit) is None:
                return False
            raise SourceUnavailable(f"git merge-base failed: {said(error)}") from error
        return True

    def first_parents(self, old_commit: str, new_commit: str, limit: int) -> tuple[list[Revision], int]:
        """What was on the branch between two commits, the newest first and at most `limit`; and how many there are.

        Only first parents are followed. Nothing when the two have no history in common, or the old one is gone. Raises
        SourceUnavailable.
        """
        self.place()
        git_ = self._repo.git
        try:
            git_.merge_base(old_commit, new_commit)
        except git.GitCommandError:
            return [], 0
        between = ("--first-parent", f"{old_commit}..{new_commit}")
        try:
            out = git_.rev_list("--header", "--skip=1", f"--max-count={limit}", *between, stdout_as_string=False)
            commits = [piece.partition(b"\n") for piece in out.split(b"\0") if piece.strip()]
            count = int(git_.rev_list("--count", *between)) - 1 if len(commits) == limit else len(commits)
        except git.GitCommandError as error:
            raise SourceUnavailable(f"git rev-list of {new_commit} failed: {said(error)}") from error
        # Git indents the message.
        return [parse_commit(name.decode(), data.replace(b"\n    ", b"\n")) for name, _, data in commits], count

    def brings_urgent(self, old_commit: str, new_commit: str) -> bool:
        """Whether a commit that only the new one has in its history is urgent; raises SourceUnavailable as `unseen`."""
        self.place()
        return brings_urgent(self._repo.git, old_commit, new_commit, said)

    def unseen(self, old_commit: str, new_commit: str, limit: int) -> list[tuple[str, tuple[str, ...]]]:
        """Commits, each with its parents, that the new one has in its history and the old one has not; the newest
        first and at most `limit`. All of them when the old one is gone.

        Raises SourceUnavailable, also where history is missing.
        """
        self.place()
        known = old_commit if self._objects.read(old_commit) is not None else None
        return unseen_commits(self._repo.git, known, new_commit, limit, said)

    def merge_base(self, one: str, other: str) -> str | None:
        """The commit at which two histories parted; None when they have nothing in common, or a clone is too shallow.

        Raises SourceUnavailable.
        """
        self.place()
        try:
            return str(self._repo.git.merge_base(one, other)).strip() or None
        except git.GitCommandError as error:
            if error.status == 1:
                return None
            raise SourceUnavailable(f"git merge-base failed: {said(error)}") from error

    def close(self) -> None:
        """End every git process."""
        self._objects.close()
        self._sizes.close()
        for differ in self._differs.values():
            differ.close()
        self._repo.close()

    def peel(self, object_id: str) -> str | None:
        """The commit behind an object id: annotated tags are followed; None when there is no commit."""
        for _ in range(10):
            found = self._objects.read(object_id)
            if found is None:
                raise SourceUnavailable(f"object {object_id} is not in the repository")
            kind, data = found
            if kind == "commit":
                return object_id
            if kind != "tag":
                return None
            object_id = data.partition(b"\n")[0].removeprefix(b"object ").decode()
        return None

    def _check_folder(self, commit: str, folder: str) -> None:
        """Raises PathNotFound when the commit has no such folder, SourceUnavailable when there is no such commit."""
        if self._objects.read(f"{commit}^{{tree}}") is None:
            raise SourceUnavailable(f"commit {commit} is not in the repository")
        if not folder:
            return
        # The protocol of cat-file is one line for each object, so that no name can hold a line end.
        found = self._objects.read(f"{commit}:{folder}") if "\n" not in folder else None
        if found is None and "\n" not in folder and self._names(commit, folder):
            # A damaged repository is not its author's fault, who would be told that the folder is not there.
            raise SourceUnavailable(f"the folder {folder} of {commit[:12]} is missing from the repository")
        if found is None or found[0] != "tree":
            shown = os.fsencode(folder).decode("utf-8", "backslashreplace")
            raise PathNotFound(f"there is no folder '{shown}' at {commit[:12]}; name it with --path")

    def _names(self, commit: str, folder: str) -> bool:
        """Whether the commit's trees name such an entry, whether it can be read or not. Raises SourceUnavailable."""
        try:
            return bool(self._repo.git.ls_tree("-z", "--full-tree", commit, "--", folder))
        except git.GitCommandError as error:
            raise SourceUnavailable(f"git ls-tree of {commit} failed: {said(error)}") from error

    def _diff(self, old: str, new: str, prefix: str) -> list[tuple[str, str]]:
        """Raw lines and names of `git diff-tree --stdin`, which echoes what is no tree: that marks the end."""
        if prefix not in self._differs:
            limit = ["--", f":(literal){prefix}"] if prefix else []
            # Whatever .gitmodules says: a folder that became a submodule would be no change at all.
            how = ("-r", "-z", "--no-renames", "--ignore-submodules=none")
            arguments = ("diff-tree", "--stdin", *how, *limit)
            self._differs[prefix] = GitProcess(self._repo.git, self.place, *arguments)
        differ = self._differs[prefix]
        end = f"end-{secrets.token_hex(8)}\n".encode()
        differ.write(f"{old} {new}\n".encode() + end)
        _, stdout = differ.start()
        out = bytearray()
        while not out.endswith(end):
            chunk = stdout.read1(1 << 20)  # type: ignore[attr-defined]  # a BufferedReader has it
            if not chunk:
                raise differ.failed()
            out += chunk
        head, _, body = bytes(out[: -len(end)]).partition(b"\n")
        if head != f"{old} {new}".encode():  # it says nothing at all of a tree that it does not have
            raise SourceUnavailable(f"one of the trees {old} and {new} is missing from the repository; fetch it again")
        fields = _path(body).split("\0")  # decoded at once: 10 000 lines take 1 ms in place of 4
        return list(zip(fields[0:-1:2], fields[1::2], strict=True))


def _normal(path: str) -> str:
    """A folder as git names it in a tree; the whole tree is the empty name."""
    folder = posixpath.normpath(path.strip("/") or ".")
    return "" if folder == "." else folder


def _path(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
