"""The profiles as they are on disk, committed or not, read the way a commit is read."""

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gitops_profile.source import PathNotFound, SourceUnavailable


@dataclass(frozen=True, slots=True)
class DiskFile:
    """One file; its "blob" is a hash of its name, for it is read only once."""

    path: str
    mode: str
    blob: str
    size: int


class Folder:
    """One profiles folder on disk."""

    def __init__(self, folder: Path) -> None:
        """Raises PathNotFound."""
        if not folder.is_dir():
            raise PathNotFound(f"there is no folder {folder}; name the profiles folder with --path")
        self._folder = folder
        self._files: dict[str, DiskFile] = {}

    def list_files(self) -> list[DiskFile]:
        """Every file and link outside hidden folders; raises SourceUnavailable."""
        try:
            self._files = {file.blob: file for file in self._walk()}
        except OSError as error:
            raise SourceUnavailable(f"{error.filename} cannot be read: {error.strerror}") from error
        return list(self._files.values())

    def read_blobs(self, blobs: Iterable[str]) -> list[tuple[str, bytes]]:
        """Id and content of each; raises SourceUnavailable."""
        try:
            return [(blob, (self._folder / self._files[blob].path).read_bytes()) for blob in blobs]
        except OSError as error:
            raise SourceUnavailable(f"{error.filename} cannot be read: {error.strerror}") from error

    def _walk(self) -> Iterable[DiskFile]:
        for parent, folders, names in os.walk(self._folder, onerror=_refuse):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            links = [name for name in folders if (Path(parent) / name).is_symlink()]
            for name in sorted([*names, *links]):
                file = Path(parent) / name
                relative = file.relative_to(self._folder).as_posix()
                found = file.lstat()
                if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
                    continue  # git does not take pipes and sockets either
                mode = "120000" if stat.S_ISLNK(found.st_mode) else "100644"
                blob = hashlib.sha1(os.fsencode(relative), usedforsecurity=False).hexdigest()
                yield DiskFile(relative, mode, blob, found.st_size)


def _refuse(error: OSError) -> None:
    raise error
