"""The profiles as they are on disk, committed or not."""

import hashlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from gitops_profile.loader import Loader, Problem
from gitops_profile.reconcile import Loaded
from gitops_profile.source import PathNotFound

SECONDS = 5
"""How long one file may take."""


@dataclass(frozen=True, slots=True)
class DiskFile:
    """One file; its "blob" is a hash of its name and content's whereabouts, for it is read only once."""

    path: str
    mode: str
    blob: str
    size: int


class _Stalled(BaseException):
    """One file takes too long. Not an Exception, so that no template can swallow it."""


def load_folder(folder: Path) -> Loaded:
    """Every profile in a folder, with what is wrong; raises PathNotFound."""
    if not folder.is_dir():
        raise PathNotFound(f"there is no folder {folder}; name the profiles folder with --path")
    files = {file.blob: file for file in _walk(folder)}
    load = Loader().whole(files.values())
    while wanted := load.wanted():
        load.supply({blob: (folder / files[blob].path).read_bytes() for blob in wanted})
    current = ""

    def progress(path: str, done: int, total: int) -> None:
        nonlocal current
        current = path
        signal.alarm(SECONDS)

    def stalled(number: int, frame: FrameType | None) -> None:
        raise _Stalled

    before = signal.signal(signal.SIGALRM, stalled)
    try:
        result = load.finish(progress)
    except _Stalled:
        return Loaded(problems=(Problem(current, 0, 0, f"did not finish within {SECONDS} seconds"),))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return Loaded(result.documents, result.removed, result.problems, result.whole, result.settings)


def _walk(folder: Path) -> list[DiskFile]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*names, *links]):
            file = Path(parent) / name
            relative = file.relative_to(folder).as_posix()
            mode = "120000" if file.is_symlink() else "100644"
            size = file.lstat().st_size
            found.append(DiskFile(relative, mode, hashlib.sha1(os.fsencode(relative)).hexdigest(), size))
    return found
