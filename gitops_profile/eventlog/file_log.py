"""The embedded engine: a folder of segments, one writer, one sync for all the appends that wait together.

The rule it keeps: `_segments` and `_head` say what is durable, and they move only after the sync. Readers go by them
and so never see a byte that a failed append may take back.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Self

import aiofiles
from aiofiles.threadpool.binary import AsyncFileIO

from .folder import Segment, Survey, lock_folder, open_folder, record_crc, segment_index
from .log import LogUnavailable, VersionConflict, check_position
from .outside import Extent
from .reader import cursor_behind, read_blocks
from .record import Clock, NewRecord, Record, time_text, utc_now
from .segment import encode_batches, segment_name
from .snapshot import read_snapshot, sync_folder, write_snapshot

logger = logging.getLogger(__name__)

SEGMENT_BYTES = 64 * 1024 * 1024
"""A segment that has grown past this is not appended to any more."""
_DATA = attrgetter("data")
_GROUP_BYTES = 8 * 1024 * 1024
"""Of data, after which no further batch joins a group: those already in it are waiting for the sync."""


@dataclass(slots=True)
class _Batch:
    records: Sequence[NewRecord]
    data_bytes: int
    expected_head: int | None
    stored: asyncio.Future[int]
    """The head after it."""


class FileEventLog:
    """An EventLog in a folder. Made by `open`."""

    def __init__(self, folder: Path, lock: int, survey: Survey, file: AsyncFileIO, segment_bytes: int, clock: Clock):
        self._folder = folder
        self._lock: int | None = lock
        self._segments = list(survey.segments)
        self._head = survey.head
        self._file = file
        self._segment_bytes = segment_bytes
        self._clock = clock
        self._dirty = False  # bytes behind the durable ones may be in the last segment
        self._pending: deque[_Batch] = deque()
        self._wanted = asyncio.Event()  # the writer has something to do
        self._advanced = asyncio.Event()  # the head has moved; each move has an Event of its own
        self._closed = False  # nothing is taken in any more
        self._ended = False  # and nothing will come out
        self._writer = asyncio.create_task(self._write_groups(), name="eventlog writer")

    @classmethod
    async def open(cls, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, clock: Clock = utc_now) -> Self:
        """Open the log in the folder, which is created when it is missing.

        Raises LogInUse when another process has it open, LogCorrupt when it is damaged anywhere but in an unfinished
        append at its end (that is cut off, with a WARNING), LogUnavailable for what the system refuses.
        """
        lock: int | None = None
        try:
            await asyncio.to_thread(_make_folder, folder)
            lock = lock_folder(folder)
            survey = await asyncio.to_thread(open_folder, folder)
            file = await aiofiles.open(survey.segments[-1].path, "ab", buffering=0)
        except BaseException as error:
            if lock is not None:
                os.close(lock)
            if isinstance(error, OSError):
                raise LogUnavailable(f"cannot open the event log in {folder}: {error.strerror or error}") from error
            raise
        logger.info("event log opened folder=%s head=%d segments=%d", folder, survey.head, len(survey.segments))
        return cls(folder, lock, survey, file, segment_bytes, clock)

    @property
    def head(self) -> int:
        return self._head

    @property
    def extent(self) -> Extent:
        """What is durable, for a `LogFollower` in another process."""
        return self._head, [(segment.first, segment.size) for segment in self._segments]

    async def append(self, records: Sequence[NewRecord], *, expected_head: int | None = None) -> int:
        self._check_open()
        batch = _Batch(
            tuple(records),
            sum(map(len, map(_DATA, records))),
            expected_head,
            asyncio.get_running_loop().create_future(),
        )
        self._pending.append(batch)
        self._wanted.set()
        return await batch.stored

    def read(self, after: int = 0) -> AsyncIterator[Record]:
        self._check_open()
        check_position(after, self._head)
        return self._read(after, self._head, self._segments[segment_index(self._segments, after + 1) :])

    async def _read(self, after: int, head: int, segments: list[Segment]) -> AsyncIterator[Record]:
        cursor = await cursor_behind(segments, after, head)
        async for block in read_blocks(cursor, segments):
            for record in block:
                yield record

    def follow(self, after: int = 0) -> AsyncIterator[Record]:
        self._check_open()
        check_position(after, self._head)
        return self._follow(after)

    async def _follow(self, after: int) -> AsyncIterator[Record]:
        cursor = await cursor_behind(self._segments, after, self._head)
        while True:
            advanced = self._advanced  # taken before reading: a record that comes meanwhile has set it
            async for block in read_blocks(cursor, self._segments[cursor.index :]):
                for record in block:
                    yield record
            if self._ended and cursor.position == self._head:
                return
            await advanced.wait()

    async def save_snapshot(self, position: int, pieces: Sequence[bytes]) -> None:
        self._check_open()
        check_position(position, self._head)
        try:
            crc = await asyncio.to_thread(record_crc, tuple(self._segments), position)
            await asyncio.to_thread(write_snapshot, self._folder, position, crc, pieces)
        except OSError as error:
            raise LogUnavailable(f"cannot store a snapshot in {self._folder}: {error.strerror or error}") from error

    async def load_snapshot(self) -> tuple[int, bytes] | None:
        self._check_open()
        snapshot = await asyncio.to_thread(read_snapshot, self._folder)
        return None if snapshot is None else (snapshot.position, snapshot.data)

    async def close(self) -> None:
        self._closed = True
        self._wanted.set()
        await asyncio.wait({self._writer})  # not awaited itself: a cancelled close must not cancel an append
        if self._lock is not None:
            lock, self._lock = self._lock, None
            await self._file.close()
            os.close(lock)
        self._ended = True
        self._wake_followers()

    async def _write_groups(self) -> None:
        while self._pending or not self._closed:
            await self._wanted.wait()
            self._wanted.clear()
            while group := self._next_group():
                await self._commit(group)

    def _next_group(self) -> list[_Batch]:
        """The batches that one sync will store. One that expects another head is answered, not taken."""
        group: list[_Batch] = []
        head = self._head
        size = 0
        while self._pending and size < _GROUP_BYTES:
            batch = self._pending[0]
            if batch.expected_head not in (None, head):
                if group:
                    break  # the head it is measured at must be durable
                if not batch.stored.done():
                    batch.stored.set_exception(VersionConflict(batch.expected_head or 0, head))
            elif not batch.stored.done():  # its caller may have been cancelled
                group.append(batch)
                head += len(batch.records)
                size += batch.data_bytes
            self._pending.popleft()
        return group

    async def _commit(self, group: list[_Batch]) -> None:
        try:
            size = await self._write([batch.records for batch in group])
        except Exception as error:
            await self._take_back()
            for batch in group:
                if not batch.stored.done():
                    batch.stored.set_exception(self._failure(error))
            return
        self._segments[-1] = replace(self._segments[-1], size=size)
        for batch in group:
            self._head += len(batch.records)
            if not batch.stored.done():
                batch.stored.set_result(self._head)
        self._wake_followers()

    async def _write(self, batches: Sequence[Sequence[NewRecord]]) -> int:
        """Write and sync; return the new size of the last segment."""
        if self._dirty and not await self._take_back():
            raise OSError("what an earlier append left is still there")
        if self._segments[-1].size >= self._segment_bytes:
            await self._rotate()
        size = self._segments[-1].size
        for lines in encode_batches(batches, self._head + 1, time_text(self._clock())):
            self._dirty = True
            size += len(lines)
            rest = memoryview(lines)
            while rest:  # unbuffered: a disk that fills up takes a part, and says so at the next call
                rest = rest[await self._file.write(rest) :]
        if self._dirty:
            await asyncio.to_thread(os.fdatasync, self._file.fileno())
            self._dirty = False
        return size

    async def _rotate(self) -> None:
        first = self._head + 1
        path = self._folder / segment_name(first)
        # "ab", not "xb": when syncing the folder fails, the next append comes by with the same name.
        file = await aiofiles.open(path, "ab", buffering=0)
        try:
            await asyncio.to_thread(sync_folder, self._folder)
        except OSError:
            await file.close()
            raise
        previous, self._file = self._file, file
        self._segments.append(Segment(first, path, 0))
        logger.info("segment begun path=%s", path)
        await previous.close()

    async def _take_back(self) -> bool:
        """Cut the last segment back to what is durable; whether that worked. If not, the next append tries it first."""
        if self._dirty:
            try:
                await self._file.truncate(self._segments[-1].size)
                # Synced too: a crash now must not bring back a batch whose append was refused.
                await asyncio.to_thread(os.fdatasync, self._file.fileno())
            except OSError as error:
                logger.warning("failed append not taken back folder=%s reason=%s", self._folder, error)
                return False
            self._dirty = False
        return True

    def _failure(self, error: Exception) -> Exception:
        """What one caller of a failed group is told. An error that is not the system's is a bug, shown as it is."""
        if not isinstance(error, OSError):
            return error
        failure = LogUnavailable(
            f"cannot append to the event log in {self._folder}: {error.strerror or error}; nothing was appended"
        )
        failure.__cause__ = error
        return failure

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailable(f"the event log in {self._folder} is closed")

    def _wake_followers(self) -> None:
        self._advanced.set()
        self._advanced = asyncio.Event()


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
