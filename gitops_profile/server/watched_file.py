"""A file of an operator's, read again when it changes; one that cannot be read leaves the old content in force."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from gitops_profile.config import ConfigError

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between looks."""
MAX_BYTES = 64 << 20

T = TypeVar("T")
FileSignature = tuple[int, int, int]
"""Time of the last change in nanoseconds, size in bytes, inode."""


class WatchedFile(Generic[T]):
    """What a file says."""

    def __init__(
        self,
        path: Path | None,
        setting: str,
        parse: Callable[[str], T],
        describe: Callable[[T], str] = lambda _: "",
        *,
        is_private: bool = False,
    ) -> None:
        """`setting` names it in messages; `describe` says what was read, without secrets. No path: no content.

        One that `is_private` and that others may read is used, with a WARNING.
        """
        self._path = path
        self._setting = setting
        self._parse = parse
        self._describe = describe
        self._is_private = is_private
        self._seen: FileSignature | None = None
        self.value = parse("")

    def read(self) -> None:
        """Read it for the first time. Blocks; raises ConfigError."""
        if self._path is None:
            return
        try:
            self._take(self._path)
        except OSError as error:
            raise ConfigError(str(self._path), self._setting, f"cannot be read: {error.strerror}") from error

    async def watch(self) -> None:
        """Read it whenever it changed, for ever."""
        while self._path is not None:
            await asyncio.sleep(LOOK_EVERY)
            await asyncio.to_thread(self._read_changed, self._path)

    def _read_changed(self, path: Path) -> None:
        try:
            if file_signature(path) != self._seen:
                self._take(path)
                logger.info("%s read again %s", self._setting, self._describe(self.value))
        except OSError as error:
            if self._seen is not None:
                logger.warning("%s cannot be read, the old content stays: %s", self._setting, error)
            self._seen = None

    def _take(self, path: Path) -> None:
        self._seen = file_signature(path)
        if self._is_private and path.stat().st_mode & 0o077:
            logger.warning("%s: %s holds passwords and others may read it: chmod 600", self._setting, path)
        self.value = self._parse(path.read_bytes()[:MAX_BYTES].decode("utf-8", "surrogateescape"))


def file_signature(path: Path) -> FileSignature:
    """Differs when the file was changed or another took its place. Blocks; raises OSError."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino
