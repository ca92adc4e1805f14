"""Trees of files in memory, for the loader."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from gitops_profile.loader import Load, Loader, LoadResult


@dataclass(frozen=True)
class Entry:
    path: str
    mode: str
    blob: str
    size: int | None


Files = Mapping[str, str | bytes]


def entry(path: str, content: str | bytes, mode: str = "100644") -> Entry:
    data = content.encode() if isinstance(content, str) else content
    return Entry(path, mode, hashlib.sha1(data).hexdigest(), len(data))


def run(load: Load, files: Files) -> LoadResult:
    blobs = {entry(p, c).blob: c.encode() if isinstance(c, str) else c for p, c in files.items()}
    while wanted := load.wanted():
        load.supply({blob: blobs[blob] for blob in wanted})
    return load.finish()


def whole(files: Files, loader: Loader | None = None) -> LoadResult:
    load = (loader or Loader()).whole(entry(p, c) for p, c in files.items())
    result = run(load, files)
    if not result.problems:
        load.accept()
    return result


def change(loader: Loader, before: Files, after: Files) -> LoadResult:
    changed = [entry(p, c) for p, c in after.items() if before.get(p) != c]
    load = loader.change(changed, [p for p in before if p not in after])
    result = run(load, after)
    if not result.problems:
        load.accept()
    return result
