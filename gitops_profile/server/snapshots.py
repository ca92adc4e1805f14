"""Keeps the snapshot of the table new, when nobody waits for anything else.

It is a cache for the next start. Written right behind a revision it took 0.3 s of the loop from the NOTIFYs of 10 000
changed documents, and held up the next commit by as long as it took: 0.5 s for 100 000 documents, the 99th percentile
of tests/bench/bench_latency.py.
"""

import asyncio
import time
from collections.abc import Callable

from gitops_profile.reconcile import Journal

LOOK_EVERY = 0.25
"""Seconds between two looks whether it is a good moment."""
SHARE = 3
"""How many times as long as a piece takes the others have the processor."""
PATIENCE = 20
"""Looks after which it is written all the same: a server that is never quiet starts again, too."""


class Snapshots:
    """Of one journal."""

    def __init__(self, journal: Journal, is_applying: Callable[[], bool], is_telling: Callable[[], bool]) -> None:
        """`is_applying`: a revision is on its way into force; `is_telling`: phones are being told of something."""
        self._journal = journal
        self._is_applying = is_applying
        self._is_telling = is_telling
        self._moved = asyncio.Event()
        self._moved.set()  # what was replayed may be worth one
        journal.on_moved.append(self._moved.set)
        self._begun = 0.0

    async def run(self) -> None:
        """Write one whenever it is worth it."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            if self._journal.wants_snapshot:
                await self._good_moment()
                self._begun = time.monotonic()
                await self._journal.save_snapshot(self._turn)

    async def _good_moment(self) -> None:
        for _ in range(PATIENCE):
            await asyncio.sleep(LOOK_EVERY)
            if not self._is_applying() and not self._is_telling():
                return

    async def _turn(self) -> None:
        """After a piece: three times as long for others as it took, and whatever a revision takes."""
        await asyncio.sleep(SHARE * (time.monotonic() - self._begun))
        if self._is_applying():
            await self._good_moment()
        self._begun = time.monotonic()
