"""What phones send us, such as their logs: taken in within bounds, or refused; never believed, never served."""

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

logger = logging.getLogger(__name__)

BLOCK = 4096
"""Bytes that the smallest file counts for: empty ones would fill the file system without ever reaching a bound."""
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class UploadMode(StrEnum):
    """What becomes of an upload."""

    REFUSE = "refuse"
    DISCARD = "discard"
    """Taken in and forgotten: a phone that is refused may try for ever."""
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Bounds of what is kept."""

    file_bytes: int = 1 << 20
    """Of one upload; more is answered 413."""
    total_bytes: int = 64 << 20
    """Of all that are kept, BLOCK for a smaller one; the ones written longest ago go."""
    at_once: int = 32
    """Uploads under way that are to be kept: each is in memory until it is whole; one more is answered 503."""
    device_files: int = 32
    """Of one device; the ones written longest ago go. No device crowds out the others with names."""


class TooLarge(Exception):
    """An upload above its bound."""


class TooMany(Exception):
    """More uploads at once than are taken in."""


class NotAsWanted(Exception):
    """There is an upload of this name already, or none, and the phone wants it otherwise."""


class Uploads:
    """Takes uploads in, one folder for each device."""

    def __init__(self, mode: UploadMode, folder: Path, limits: UploadLimits) -> None:
        self.mode = mode
        self.limits = limits
        self._folder = folder
        self._writing = asyncio.Lock()
        self._under_way = 0

    async def take(self, device: str, name: str, chunks: AsyncIterator[bytes], *, before: bool | None = None) -> bool:
        """Take one in; whether there was none of this name before. The file has the new content whole, or the old one.

        `before` says whether there has to be one, or must be none; None when that is all the same. Raises TooLarge,
        TooMany, NotAsWanted, and OSError when it cannot be kept.
        """
        if self._under_way >= self.limits.at_once:
            raise TooMany
        self._under_way += 1
        try:
            return await self._take(device, name, chunks, before)
        finally:
            self._under_way -= 1

    async def _take(self, device: str, name: str, chunks: AsyncIterator[bytes], before: bool | None) -> bool:
        if before and self.mode is not UploadMode.KEEP:
            raise NotAsWanted  # what is forgotten is not there
        received, size = [], 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self.limits.file_bytes:
                raise TooLarge
            if self.mode is UploadMode.KEEP:
                received.append(chunk)
        if self.mode is not UploadMode.KEEP:
            return False
        async with self._writing:
            return await asyncio.to_thread(self._keep, device, name, b"".join(received), before)

    def _keep(self, device: str, name: str, content: bytes, before: bool | None) -> bool:
        """One at a time, so that what is found is what is replaced."""
        folder = self._folder / device
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / (name if _SAFE.fullmatch(name) else "upload")
        is_new = not path.exists()
        if before is is_new:  # there is none and has to be one, or there is one and must be none
            raise NotAsWanted
        fresh = path.with_name(f".{path.name}.new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        fresh.replace(path)
        self._make_room(path)
        return is_new

    def _make_room(self, newest: Path) -> None:
        found = []
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):  # somebody tidies up beside us
                status = path.stat()
                found.append((status.st_mtime_ns, max(status.st_size, BLOCK), path))
        total, own = sum(size for _, size, _ in found), sum(path.parent == newest.parent for _, _, path in found)
        for _, size, path in sorted(found, key=lambda one: one[0]):
            is_own = path.parent == newest.parent
            if path == newest or not (total > self.limits.total_bytes or (is_own and own > self.limits.device_files)):
                continue
            path.unlink(missing_ok=True)
            total -= size
            own -= is_own
