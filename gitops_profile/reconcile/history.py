"""Looking back: the versions of one profile, and the table as it was. Reads a log that a server may be writing."""

from datetime import datetime
from pathlib import Path

import msgspec

from gitops_profile.eventlog import Record, read_log, time_text
from gitops_profile.presentity import (
    BATCH_ENDS,
    PresentityEvent,
    PresentityTable,
    ProfileHistory,
    ProfileKey,
    decode_event,
)


async def read_history(folder: Path, key: ProfileKey) -> ProfileHistory:
    """The versions of the document that `key` stands for. Raises LogCorrupt, LogUnavailable, UnknownEvent."""
    history = ProfileHistory(key)
    named = msgspec.json.encode(str(key))
    async for record in read_log(folder):
        if named in record.data:  # decoding each record of a long log would cost ten times as much
            history.apply(record.position, record.time, _event(record))
    if history.owner == key:
        return history
    # What the document was before it had this alias names the alias nowhere, so it is read once more.
    whole, stream = ProfileHistory(history.owner), str(history.owner)
    async for record in read_log(folder):
        if record.stream == stream:
            whole.apply(record.position, record.time, _event(record))
    return whole


async def read_table_at(folder: Path, moment: int | datetime) -> PresentityTable:
    """The table that was in force at a position, or at a time. A revision counts once all of its records are there.

    Raises LogCorrupt, LogUnavailable, UnknownEvent.
    """
    table = PresentityTable()
    revision: list[PresentityEvent] = []
    until = moment if isinstance(moment, int) else time_text(moment)
    async for record in read_log(folder):
        if (record.position if isinstance(until, int) else record.time) > until:  # type: ignore[operator]
            break
        event = _event(record)
        revision.append(event)
        if isinstance(event, BATCH_ENDS):
            for one in revision:
                table.apply(one)
            revision.clear()
    return table


def _event(record: Record) -> PresentityEvent:
    return decode_event(record.type, record.version, record.data)
