"""Which manifests a change of other files concerns."""

from collections.abc import Callable, Iterable

from .bases import base_name
from .build import Builder
from .layout import Kind, kind_of
from .manifest import Manifest
from .state import State


def concerned(before: State, moved: Iterable[str]) -> set[str]:
    """Paths of the manifests made from a defaults.yaml, base, template or file that changed or went since `before`."""
    files: dict[Kind, set[str]] = {}
    for path in moved:
        files.setdefault(kind_of(path), set()).add(path)
    folders = (path.rpartition("/")[0] for path in files.get(Kind.DEFAULTS, ()))
    prefixes = tuple(f"{folder}/" if folder else "" for folder in folders)
    parts = _Parts(before, files)
    if not prefixes and not parts:
        return set()
    manifests = before.manifests.items()
    return {path for path, read in manifests if path.startswith(prefixes) or parts.in_use(path, read.manifest)}


def retold(before: State, moved: Iterable[str], content: Callable[[str], bytes | None]) -> set[str]:
    """Paths of the plain documents whose folder may say another `notify` since `before`.

    `content(path)` of what moved, None while it has not been read, or went. Where the word is not even there, nothing
    is said: a plain document is read again for nothing else of a defaults.yaml.
    """
    prefixes = []
    for path in moved:
        if kind_of(path) is Kind.DEFAULTS:
            folder = path.rpartition("/")[0]
            known, new = before.defaults.get(folder), content(path) or b""
            if (known is not None and known.defaults.notify is not None) or b"notify" in new or b"\\" in new:
                prefixes.append(f"{folder}/" if folder else "")
    if not prefixes:
        return set()
    return {path for path in before.files if path.startswith(tuple(prefixes)) and kind_of(path) is Kind.PLAIN}


class _Parts:
    """Bases, templates and files that moved, and who is made of them."""

    def __init__(self, before: State, files: dict[Kind, set[str]]) -> None:
        self._before = before
        self._builder = Builder(before)
        self._bases = frozenset(map(base_name, files.get(Kind.BASE, ())))
        self._templates = frozenset(path.removeprefix("templates/") for path in files.get(Kind.TEMPLATE, ()))
        self._data = files.get(Kind.DATA, set())

    def __bool__(self) -> bool:
        return bool(self._bases or self._templates or self._data)

    def in_use(self, path: str, manifest: Manifest) -> bool:
        """Whether the manifest at `path` is made of one of them."""
        if self._bases and manifest.extends:
            # One that cannot be used was not accepted, so there is a line.
            if not self._bases.isdisjoint(self._before.bases.line(manifest.extends) or ()):
                return True
        if not self._templates and not self._data:
            return False
        for kind, name in self._builder.sources_of(path, manifest):
            if kind == "file":
                if f"files/{name}" in self._data:
                    return True
            elif self._templates:
                used = self._before.templates.uses(name)
                if used is None or name in self._templates or not used.isdisjoint(self._templates):
                    return True
        return False
