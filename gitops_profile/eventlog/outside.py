"""Reading a log that another process writes: no lock, nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from .folder import survey_folder
from .log import LogUnavailable
from .reader import cursor_behind, read_blocks
from .record import Record


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
    cursor = await cursor_behind(survey.segments, after, survey.head)
    async for records in read_blocks(cursor, survey.segments):
        for record in records:
            if record.position > survey.head:
                return
            yield record
