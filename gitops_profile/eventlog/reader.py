"""Reading durable segments while they are appended to, a block at a time, so that the event loop gets its turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from .folder import Segment, check_neighbour, offset_behind, read_lines, segment_index
from .log import LogCorrupt, LogUnavailable
from .record import Record
from .segment import HINT, SegmentScanner

_READ_BYTES = 128 * 1024
"""Of lines decoded in one turn of the event loop: about 1 ms. Half of it costs a sixth of the speed, for the hops."""


@dataclass(slots=True)
class Cursor:
    """A reader's place: behind `position`, at byte `offset` of segment `index`."""

    position: int
    index: int
    offset: int


async def cursor_behind(segments: Sequence[Segment], position: int, head: int) -> Cursor:
    """The place of a reader that has everything up to `position`. Raises LogCorrupt, LogUnavailable."""
    index = segment_index(segments, position + 1)
    segment = segments[index]
    if position == head:
        return Cursor(position, index, segment.size)
    try:
        return Cursor(position, index, await asyncio.to_thread(offset_behind, segment, position))
    except OSError as error:
        raise _translated(error, segment) from error


async def read_blocks(cursor: Cursor, segments: Sequence[Segment]) -> AsyncIterator[list[Record]]:
    """The records from the cursor to the end of `segments`, of which the first is the cursor's; moves the cursor.

    Raises LogCorrupt, LogUnavailable.
    """
    for index, segment in enumerate(segments, cursor.index):
        if index != cursor.index:
            check_neighbour(segment, cursor.position)
            cursor.index, cursor.offset = index, 0
        scanner = SegmentScanner(segment.path, segment.first, position=cursor.position, offset=cursor.offset)
        while scanner.offset < segment.size:
            try:
                # Opened anew for each block, so that a reader dropped half-way leaves no file open.
                block = await asyncio.to_thread(read_lines, segment.path, scanner.offset, segment.size, _READ_BYTES)
            except OSError as error:
                raise _translated(error, segment) from error
            if not block:
                raise scanner.corrupt("the file ends before the line does")
            records = scanner.feed(block)
            cursor.position, cursor.offset = scanner.position, scanner.offset
            yield records


def _translated(error: OSError, segment: Segment) -> LogCorrupt | LogUnavailable:
    if isinstance(error, FileNotFoundError):
        return LogCorrupt(segment.path, None, "the segment is gone", HINT)
    return LogUnavailable(f"cannot read {segment.path}: {error.strerror or error}")
