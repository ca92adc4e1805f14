"""Follows the ref: notes its newest revision and has it reconciled, again and again while it has to wait."""

import asyncio
import logging

from gitops_profile.metrics import Metrics
from gitops_profile.reconcile import Journal, Outcome, Reconciler, Verdict
from gitops_profile.source import RefGone, RefTracker, Revision, SourceDown

logger = logging.getLogger(__name__)

RETRY = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds between tries while git or the log is unavailable."""


class Follower:
    """Brings the table to the newest revision of the ref."""

    def __init__(self, tracker: RefTracker, reconciler: Reconciler, journal: Journal, metrics: Metrics) -> None:
        self._tracker = tracker
        self._reconciler = reconciler
        self._journal = journal
        self._metrics = metrics
        self._newest: Revision | None = None
        self._moved = asyncio.Event()
        self.head_seen: str | None = None
        self.last: Outcome | None = None
        self.looked = asyncio.Event()
        """Set when a revision has been judged, or there is none: whoever waits for the first may look."""

    @property
    def waiting(self) -> str | None:
        """Why the newest revision has to wait; None when it does not."""
        return self.last.reason if self.last and self.last.verdict is Verdict.UNAVAILABLE else None

    async def track(self) -> None:
        """Note the newest revision of the ref."""
        async for seen in self._tracker:
            if isinstance(seen, SourceDown):
                if self._journal.table.applied is not None:
                    self.looked.set()  # the log serves without it
            elif isinstance(seen, RefGone):
                self._newest = None
                self.looked.set()
            else:
                self._newest, self.head_seen = seen, seen.commit
                self._moved.set()

    async def follow(self) -> None:
        """Reconcile the newest revision; one that has to wait is tried again, unless a newer one comes first."""
        tries = 0
        while True:
            pause = RETRY[min(tries, len(RETRY)) - 1] if tries else None
            try:
                async with asyncio.timeout(pause):
                    await self._moved.wait()
                tries = 0
            except TimeoutError:
                pass  # time for another try of the same revision
            self._moved.clear()
            if self._newest is not None and await self._reconcile(self._newest) is Verdict.UNAVAILABLE:
                tries += 1
            else:
                tries = 0
                # A commit that comes meanwhile waits no longer than if it had to load everything itself.
                await self._reconciler.warm_up()

    async def _reconcile(self, revision: Revision) -> Verdict:
        outcome = await self._reconciler.reconcile(revision)
        self.last = outcome
        self._metrics.revisions.labels(outcome.verdict).inc()
        if outcome.verdict is Verdict.UNAVAILABLE:
            self._tracker.doubt()  # of a remote: is the clone damaged?
        if outcome.verdict is Verdict.REJECTED and self._journal.table.applied is None:
            logger.warning("not ready: no revision is in force yet, waiting for a good one")
        if outcome.verdict is not Verdict.UNAVAILABLE or self._journal.table.applied is not None:
            self.looked.set()
        await self._journal.save_snapshot()
        return outcome.verdict
