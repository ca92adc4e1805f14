"""The table in another process than the one that writes its log: the same fold, as far as that one says."""

import asyncio
import logging
from pathlib import Path
from typing import Self

from gitops_profile.eventlog import Extent, LogFollower, load_snapshot
from gitops_profile.presentity import PresentityTable, ProfileKey, SnapshotUnusable, decode_event

logger = logging.getLogger(__name__)

_CHUNK = 100
"""Records folded before the loop gets its turn (invariant I8)."""


class FollowedTable:
    """A table and its place in the log. Made by `open`."""

    def __init__(self, folder: Path, table: PresentityTable, position: int) -> None:
        self.table = table
        self._follower = LogFollower(folder, position)

    @classmethod
    async def open(cls, folder: Path, extent: Extent) -> Self:
        """The table as it is at `extent`, from the snapshot and what follows it.

        Raises LogCorrupt, LogUnavailable, UnknownEvent.
        """
        table, position = PresentityTable(), 0
        snapshot = await asyncio.to_thread(load_snapshot, folder)
        if snapshot is not None and snapshot[0] <= extent[0]:
            try:
                table, position = await asyncio.to_thread(PresentityTable.from_snapshot, snapshot[1]), snapshot[0]
                await asyncio.to_thread(table.read_all)
            except SnapshotUnusable as error:
                logger.debug("the snapshot is not used: %s", error)  # whoever writes it has said so
        followed = cls(folder, table, position)
        await followed.advance(extent)
        return followed

    async def advance(self, extent: Extent) -> list[ProfileKey]:
        """Fold what came since; the keys concerned, as `Journal.append` gives them. Raises as `open`."""
        keys: dict[ProfileKey, None] = {}
        async for block in self._follower.read_to(extent):
            for number, record in enumerate(block):
                if number % _CHUNK == 0:
                    await asyncio.sleep(0)
                event = decode_event(record.type, record.version, record.data)
                keys.update(dict.fromkeys(self.table.apply(event)))
        return list(keys)
