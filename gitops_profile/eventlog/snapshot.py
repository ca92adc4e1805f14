"""The snapshot file: one line of JSON that says what follows, then the reader's bytes. A cache; it can be deleted.

    {"position":7,"record_crc":"89abcdef","offset":5678,"size":1234,"crc":"01234567"}\n<1234 bytes>

`record_crc` is the checksum in the log line at `position`: a snapshot of another log must not pass for one of this.
`offset` is where that line begins in its segment, so that nobody has to count lines to find it. `crc` is that of
`<offset>\n<1234 bytes>`, which an older version wrote without an offset.
Blocking; called in a worker thread.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import msgspec

logger = logging.getLogger(__name__)

SNAPSHOT_NAME = "snapshot"
_TEMPORARY_PREFIX = "snapshot-"
_LINE_BYTES = 4096
"""More than the first line ever has."""
_SYNC_BYTES = 4 << 20
"""Written between two syncs: whoever has to sync something else meanwhile waits for no more than that. With 120 MB at
once the log's own sync took up to 50 ms, so 20."""


class _Header(msgspec.Struct):
    position: int
    record_crc: str
    size: int
    crc: str
    offset: int | None = None
    """What an older version wrote has none."""


class Snapshot(msgspec.Struct, frozen=True):
    position: int
    record_crc: str
    """Empty at position 0."""
    data: bytes
    offset: int | None


_HEADER = msgspec.json.Decoder(_Header)


def write_snapshot(
    folder: Path, position: int, record_crc: str, pieces: Sequence[bytes], *, offset: int | None = None
) -> None:
    """Replace the snapshot, all or nothing, durably. Raises OSError; the earlier one then stands."""
    crc = _crc_of_offset(offset)
    for piece in pieces:
        crc = crc32(piece, crc)  # other threads run meanwhile, as they do while a piece is written
    header = _Header(position, record_crc, sum(map(len, pieces)), f"{crc:08x}", offset)
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
        with path.open("rb", buffering=0) as file:
            head = _read_line(file)
            data = file.read()  # at once, where it is to be: with 100 000 documents a copy would be of 115 MB
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("snapshot ignored path=%s reason=%s", path, error.strerror)
        return None
    try:
        header = _HEADER.decode(head)
    except (msgspec.DecodeError, RecursionError):
        logger.warning("snapshot ignored path=%s reason=its first line is damaged", path)
        return None
    if (
        header.position < 0
        or header.size != len(data)
        or header.crc != f"{crc32(data, _crc_of_offset(header.offset)):08x}"
    ):
        logger.warning("snapshot ignored path=%s reason=its checksum does not fit", path)
        return None
    return Snapshot(header.position, header.record_crc, data, header.offset)


def _crc_of_offset(offset: int | None) -> int:
    return crc32(b"%d\n" % offset) if offset is not None else 0


def _read_line(file: FileIO) -> bytes:
    """The first line without its end; the file is then behind it."""
    start = file.read(_LINE_BYTES)
    head, newline, _ = start.partition(b"\n")
    file.seek(len(head) + len(newline))
    return head


class Ahead:
    """A snapshot that is read in a thread while the program is still importing what it needs.

    Reading and checking one of 115 MB takes 0.15 s, for which the interpreter is not needed. It may be read before the
    log is locked: what the log does not bear out is not used, and an older one is as good.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._found: Snapshot | None = None
        self._thread = threading.Thread(target=self._read, name="snapshot", daemon=True)
        self._thread.start()

    def take(self) -> Snapshot | None:
        """It, as `read_snapshot` gives it. Blocks until it is read."""
        self._thread.join()
        found, self._found = self._found, None  # it is large
        return found

    def _read(self) -> None:
        self._found = read_snapshot(self.folder)


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
