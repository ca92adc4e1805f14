"""A small file that is read, changed and written back so that every reader sees the old or the new one, whole."""

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_PATIENCE = 10.0
"""Seconds to wait for another one that writes in the same folder."""
MAX_BYTES = 256 * 1024 * 1024
NEW_MODE = 0o600


class RewriteError(Exception):
    """It cannot be read or written; says why. The file is as it was."""


class Rewriting:
    """The file while nobody else may write it."""

    def __init__(self, path: Path, must_exist: bool) -> None:
        self._path = path
        self._before: os.stat_result | None = None
        self.text = ""
        """Any bytes: what is no UTF-8 is kept as surrogates."""
        try:
            with open(path, "rb") as file:
                self._before = os.fstat(file.fileno())
                if not stat.S_ISREG(self._before.st_mode) or self._before.st_size > MAX_BYTES:
                    raise RewriteError("not a file that can be rewritten")
                self.text = file.read().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            if must_exist:
                raise

    def save(self, text: str) -> None:
        """Put `text` in its place, durably; mode and owner stay. Raises OSError; then the file is as it was."""
        handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")  # mode 0600
        try:
            with open(handle, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                file.flush()
                self._keep_attributes(file.fileno())
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        except BaseException:
            os.unlink(temporary)
            raise
        _sync_folder(self._path.parent)

    def _keep_attributes(self, handle: int) -> None:
        if self._before is None:
            os.fchmod(handle, NEW_MODE)
            return
        mine = os.fstat(handle)
        if (mine.st_uid, mine.st_gid) != (self._before.st_uid, self._before.st_gid):
            # Root may: otherwise the server could no longer read its own file.
            os.fchown(handle, self._before.st_uid, self._before.st_gid)
        os.fchmod(handle, stat.S_IMODE(self._before.st_mode))


@contextmanager
def rewriting(path: Path, *, must_exist: bool = False) -> Iterator[Rewriting]:
    """The file at `path`, or where a link there leads; others who use this wait. Raises RewriteError."""
    try:
        real = Path(os.path.realpath(path))
        with _folder_locked(real.parent):
            yield Rewriting(real, must_exist)
    except OSError as error:
        raise RewriteError(error.strerror or str(error)) from error


@contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    # The folder and not the file, which is another one after each rename; nor a lock file, which would stay behind.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        end = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise RewriteError("another command is writing in this folder and does not end") from None
            time.sleep(0.02)
        yield
    finally:
        os.close(handle)  # gives the lock back


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
