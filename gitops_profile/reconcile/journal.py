"""The table and its log, kept in step: what is appended is folded, what was appended is replayed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

from gitops_profile.eventlog import EncodedRecord, EventLog, LogUnavailable, NewRecord, read_log
from gitops_profile.presentity import (
    Batch,
    PresentityEvent,
    PresentityTable,
    ProfileKey,
    SnapshotUnusable,
    decode_event,
    encode_event,
)

logger = logging.getLogger(__name__)

SNAPSHOT_EVERY = 10_000
"""Records after which a new snapshot is worth its writing: replay does some 200 000 in a second."""
_CHUNK = 500
"""Records folded before the loop gets its turn (invariant I8)."""


class Draft:
    """Events of a batch that is not appended yet, as the log and the table will take them.

    They can be laid out one after the other while the others are still being loaded. Nobody sees anything of it before
    the batch is durable, and whoever does not append it leaves no trace.
    """

    def __init__(self, table: PresentityTable) -> None:
        self.records: list[NewRecord] = []
        self.counts: Counter[type] = Counter()
        """How many events there are of each kind."""
        self._table = table
        self._begun_at = table.changes
        self.batch = Batch(table)

    @property
    def holds(self) -> bool:
        """Whether the table is still the one for which it was begun."""
        return self._table.changes == self._begun_at

    def add(self, events: Sequence[PresentityEvent]) -> None:
        """The next events: some hundred, for a millisecond."""
        self.batch.lay_out(events)
        self.counts.update(map(type, events))
        for type_, version, stream, data in map(encode_event, events):
            self.records.append(EncodedRecord(stream, type_, version, data))


class Journal:
    """A log, the table folded from it, and the position up to which it is folded."""

    def __init__(self, log: EventLog, table: PresentityTable, position: int, snapshot_at: int) -> None:
        self.log = log
        self.table = table
        self.position = position
        self._snapshot_at = snapshot_at
        self._writing = asyncio.Lock()
        self._spent: list[list[Any]] = []
        self.on_moved: list[Callable[[], None]] = []
        """Told when `position` moved."""

    async def append(
        self,
        events: Sequence[PresentityEvent],
        draft: Draft | None = None,
        after: Sequence[PresentityEvent] = (),
        *,
        decided_at: int | None = None,
    ) -> list[ProfileKey]:
        """Append one atomic batch and fold it: the events, those of the draft, and those `after`; the keys concerned.

        `decided_at` is the position that the decision for these events has seen: when something was appended since,
        VersionConflict is raised, and whoever decided decides again. Raises LogUnavailable. When it raises, nothing
        happened.
        """
        async with self._writing:  # a revision and an operator's word may come at the same time
            return await self._append(events, draft, after, self.position if decided_at is None else decided_at)

    async def _append(
        self, events: Sequence[PresentityEvent], draft: Draft | None, after: Sequence[PresentityEvent], expected: int
    ) -> list[ProfileKey]:
        if draft is None:
            draft = Draft(self.table)
        drafted, draft.records = draft.records, []
        await _add(draft, events)
        draft.records += drafted
        await _add(draft, after)
        records, batch = draft.records, draft.batch
        head = await self.log.append(records, expected_head=expected)
        keys = batch.fold()
        self._spent += [cast(list[Any], records), batch.replaced]
        # Last, so that a snapshot never claims more than was folded: folding a record twice does no harm.
        self.position = head
        for listener in self.on_moved:
            listener()
        return keys

    async def read_all(self) -> None:
        """Read what of the snapshot nobody has asked for, in slices (I8): whoever compares needs all of it."""
        there_is_more = True
        while there_is_more:
            there_is_more = self.table.read_some()
            await asyncio.sleep(0)

    async def release(self) -> None:
        """Let go of what the last batches have left, in slices: 100 000 records took 35 ms at once (I8)."""
        while self._spent:
            spent = self._spent.pop()
            while spent:
                del spent[-_CHUNK:]
                await asyncio.sleep(0)

    @property
    def wants_snapshot(self) -> bool:
        """Whether the log has grown enough since the last one."""
        return self.position - self._snapshot_at >= SNAPSHOT_EVERY

    async def save_snapshot(self, turn: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)) -> None:
        """Keep the table as it is now as a snapshot, if that is wanted; `turn` is awaited after each piece of it."""
        if not self.wants_snapshot:
            return
        await self.read_all()
        position, pieces = self.position, []
        for piece in self.table.snapshot():
            pieces.append(piece)
            await turn()
        try:
            await self.log.save_snapshot(position, pieces)
        except LogUnavailable as error:
            logger.warning("no snapshot was written, the next start takes longer: %s", error)
            return
        self._snapshot_at = position


async def _add(draft: Draft, events: Sequence[PresentityEvent]) -> None:
    for start in range(0, len(events), _CHUNK):
        draft.add(events[start : start + _CHUNK])
        await asyncio.sleep(0)


async def read_table(folder: Path) -> PresentityTable:
    """The table as a log has it that somebody else may be writing. Raises LogCorrupt, LogUnavailable, UnknownEvent."""
    table = PresentityTable()
    async for record in read_log(folder):
        table.apply(decode_event(record.type, record.version, record.data))
    return table


async def replay(log: EventLog) -> Journal:
    """The table as the log has it, from the snapshot and what follows it. Raises LogCorrupt, UnknownEvent."""
    table, position = PresentityTable(), 0
    snapshot = await log.load_snapshot()
    if snapshot is not None and snapshot[0] <= log.head:
        try:
            table, position = await asyncio.to_thread(PresentityTable.from_snapshot, snapshot[1]), snapshot[0]
        except SnapshotUnusable as error:
            logger.warning("the snapshot is not used, the whole log is read: %s", error)
    start = position
    async for record in log.read(position):
        table.apply(decode_event(record.type, record.version, record.data))
        position = record.position
        if position % _CHUNK == 0:
            await asyncio.sleep(0)
    return Journal(log, table, position, start)
