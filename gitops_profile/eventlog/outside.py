"""Reading a log that another process writes: no lock, nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from .folder import Segment, survey_folder
from .log import LogUnavailable
from .reader import Cursor, cursor_behind, read_blocks
from .record import Record
from .segment import segment_name
from .snapshot import read_snapshot

Extent = tuple[int, Sequence[tuple[int, int]]]
"""The head of a log, and of each segment its first position and its bytes: those that are durable."""


async def read_log(folder: Path, after: int = 0) -> AsyncIterator[Record]:
    """The records behind `after`, up to the last whole batch as of this call; none when the log is not that long.

    Raises LogCorrupt, LogUnavailable.
    """
    try:
        survey = await asyncio.to_thread(survey_folder, folder, whole=False)
    except OSError as error:
        raise LogUnavailable(f"cannot read the event log in {folder}: {error.strerror or error}") from error
    if after >= survey.head:
        return
    *earlier, last = survey.segments
    # What stands behind the last whole batch is an append that did not finish, or is under way: no damage.
    segments = [*earlier, replace(last, size=last.size - survey.torn_bytes)]
    cursor = await cursor_behind(segments, after, survey.head)
    async for records in read_blocks(cursor, segments[cursor.index :]):
        for record in records:
            yield record


class LogFollower:
    """A log that another process writes, followed as far as that one says that it is durable."""

    def __init__(self, folder: Path, position: int = 0) -> None:
        """Begin behind `position`."""
        self._folder = folder
        self._start = position
        self._cursor: Cursor | None = None

    async def read_to(self, extent: Extent) -> AsyncIterator[list[Record]]:
        """The records since the last call, in blocks; the loop gets its turn between them.

        Raises LogCorrupt, LogUnavailable.
        """
        head, sizes = extent
        if head <= (self._cursor.position if self._cursor is not None else self._start):
            return
        segments = [Segment(first, self._folder / segment_name(first), size) for first, size in sizes]
        if self._cursor is None:
            self._cursor = await cursor_behind(segments, self._start, head)
        async for block in read_blocks(self._cursor, segments[self._cursor.index :]):
            yield block


def load_snapshot(folder: Path) -> tuple[int, bytes] | None:
    """What `EventLog.load_snapshot` of the writing process gives. Blocks."""
    snapshot = read_snapshot(folder)
    return None if snapshot is None else (snapshot.position, snapshot.data)
