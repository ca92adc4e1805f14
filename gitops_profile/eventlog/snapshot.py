"""The snapshot file: one line of JSON that says what follows, then the reader's bytes. A cache; it can be deleted.

    {"position":7,"record_crc":"89abcdef","size":1234,"crc":"01234567"}\n<1234 bytes>

`record_crc` is the checksum in the log line at `position`: a snapshot of another log must not pass for one of this.
Blocking; called in a worker thread.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import msgspec

logger = logging.getLogger(__name__)

SNAPSHOT_NAME = "snapshot"
_TEMPORARY_PREFIX = "snapshot-"
_SYNC_BYTES = 4 << 20
"""Written between two syncs: whoever has to sync something else meanwhile waits for no more than that. With 120 MB at
once the log's own sync took up to 50 ms, so 20."""


class _Header(msgspec.Struct):
    position: int
    record_crc: str
    size: int
    crc: str


class Snapshot(msgspec.Struct, frozen=True):
    position: int
    record_crc: str
    """Empty at position 0."""
    data: bytes


_HEADER = msgspec.json.Decoder(_Header)


def write_snapshot(folder: Path, position: int, record_crc: str, pieces: Sequence[bytes]) -> None:
    """Replace the snapshot, all or nothing, durably. Raises OSError; the earlier one then stands."""
    crc = 0
    for piece in pieces:
        crc = crc32(piece, crc)  # other threads run meanwhile, as they do while a piece is written
    header = _Header(position, record_crc, sum(map(len, pieces)), f"{crc:08x}")
    handle, name = tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, dir=folder)
    try:
        with open(handle, "wb") as file:
            file.write(msgspec.json.encode(header) + b"\n")
            unsynced = 0
            for piece in pieces:
                file.write(piece)
                unsynced += len(piece)
                if unsynced >= _SYNC_BYTES:
                    _sync(file)
                    unsynced = 0
            _sync(file)
        os.replace(name, folder / SNAPSHOT_NAME)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(folder)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fdatasync(file.fileno())


def read_snapshot(folder: Path) -> Snapshot | None:
    """The snapshot; None when there is none, or when it is damaged (logged: it costs a whole replay)."""
    path = folder / SNAPSHOT_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("snapshot ignored path=%s reason=%s", path, error.strerror)
        return None
    head, _, data = content.partition(b"\n")
    try:
        header = _HEADER.decode(head)
    except (msgspec.DecodeError, RecursionError):
        logger.warning("snapshot ignored path=%s reason=its first line is damaged", path)
        return None
    if header.position < 0 or header.size != len(data) or header.crc != f"{crc32(data):08x}":
        logger.warning("snapshot ignored path=%s reason=its checksum does not fit", path)
        return None
    return Snapshot(header.position, header.record_crc, data)


def remove_leftovers(folder: Path) -> None:
    """Delete what a process left that was killed while it wrote a snapshot."""
    for path in folder.glob(f"{_TEMPORARY_PREFIX}*"):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make created, renamed and deleted names durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
