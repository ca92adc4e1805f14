"""The engine of tests and of commands that store nothing: the whole contract but durability."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from .log import LogUnavailable, VersionConflict, check_position
from .record import Clock, NewRecord, Record, time_text, utc_now


class MemoryEventLog:
    """An EventLog that is gone with the process."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._records: list[Record] = []
        self._snapshot: tuple[int, bytes] | None = None
        self._advanced = asyncio.Event()
        self._closed = False

    @property
    def head(self) -> int:
        return len(self._records)

    async def append(self, records: Sequence[NewRecord], *, expected_head: int | None = None) -> int:
        self._check_open()
        if expected_head not in (None, self.head):
            raise VersionConflict(expected_head or 0, self.head)
        time = time_text(self._clock())
        self._records += [
            Record(position, time, new.stream, new.type, new.version, new.data)
            for position, new in enumerate(records, self.head + 1)
        ]
        self._wake_followers()
        return self.head

    def read(self, after: int = 0) -> AsyncIterator[Record]:
        self._check_open()
        check_position(after, self.head)
        return self._read(after, self.head)

    async def _read(self, after: int, head: int) -> AsyncIterator[Record]:
        for index in range(after, head):
            yield self._records[index]

    def follow(self, after: int = 0) -> AsyncIterator[Record]:
        self._check_open()
        check_position(after, self.head)
        return self._follow(after)

    async def _follow(self, after: int) -> AsyncIterator[Record]:
        position = after
        while True:
            advanced = self._advanced
            while position < self.head:
                position += 1
                yield self._records[position - 1]
            if self._closed:
                return
            await advanced.wait()

    async def save_snapshot(self, position: int, pieces: Sequence[bytes]) -> None:
        self._check_open()
        check_position(position, self.head)
        self._snapshot = (position, b"".join(pieces))

    async def load_snapshot(self) -> tuple[int, bytes] | None:
        self._check_open()
        return self._snapshot

    async def close(self) -> None:
        self._closed = True
        self._wake_followers()

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailable("the log is closed")

    def _wake_followers(self) -> None:
        self._advanced.set()
        self._advanced = asyncio.Event()
