"""Follows the ref: notes its newest revision and has it reconciled, again and again while it has to wait."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from gitops_profile.metrics import Metrics
from gitops_profile.reconcile import MAX_SUPERSEDED, Journal, Outcome, Reconciler, Verdict
from gitops_profile.source import RefGone, RefTracker, Revision, SourceDown

logger = logging.getLogger(__name__)

RETRY = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds between tries while git or the log is unavailable."""
_WAITS = (Verdict.UNAVAILABLE, Verdict.SUSPENDED)


class Follower:
    """Brings the table to the newest revision of the ref."""

    def __init__(
        self,
        tracker: RefTracker,
        reconciler: Reconciler,
        journal: Journal,
        metrics: Metrics,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._tracker = tracker
        self._reconciler = reconciler
        self._journal = journal
        self._metrics = metrics
        self._wall = wall
        self._newest: Revision | None = None
        self._overtaken: deque[Revision] = deque(maxlen=MAX_SUPERSEDED)
        """Seen, and not looked at before a newer one came."""
        self._moved = asyncio.Event()
        self.head_seen: str | None = None
        self.seen_at: float | None = None
        """When that was, Unix seconds."""
        self.gone = False
        """Whether the ref does not exist."""
        self.last: Outcome | None = None
        self.applied_at: float | None = None
        """When a revision was applied last, Unix seconds; None since the start."""
        self.took: float | None = None
        """Seconds from when the revision that was applied last was seen until it was in force."""
        self.reconciling = False
        """Whether a revision is being looked at right now."""
        self.looked = asyncio.Event()
        """Set when a revision has been judged, or there is none: whoever waits for the first may look."""
        self.on_outcome: list[Callable[[Outcome], None]] = []
        """Told of each verdict, also of those on revisions that were passed over."""
        self.on_seen: list[Callable[[], None]] = []
        """Told when the ref moved."""

    @property
    def waiting(self) -> str | None:
        """Why the newest revision has to wait; None when it does not."""
        return self.last.reason if self.last and self.last.verdict in _WAITS else None

    def again(self) -> None:
        """Look at the newest revision once more, as after `resume`."""
        self._moved.set()

    async def track(self) -> None:
        """Note the newest revision of the ref."""
        async for seen in self._tracker:
            if isinstance(seen, SourceDown):
                if self._journal.table.applied is not None:
                    self.looked.set()  # the log serves without it
                continue
            self.gone = isinstance(seen, RefGone)
            # At the end of this turn, when it is noted.
            for listener in self.on_seen:
                asyncio.get_running_loop().call_soon(listener)
            if isinstance(seen, RefGone):
                self._newest = None
                self.looked.set()
            else:
                # A clone that was made anew yields the same one again.
                before = self._newest
                if before is not None and before.commit != seen.commit and not self._has_verdict(before):
                    self._overtaken.append(before)
                self._newest, self.head_seen, self.seen_at = seen, seen.commit, self._wall()
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
        await self._journal.read_all()
        overtaken, seen_at = tuple(self._overtaken), self.seen_at
        self.reconciling = True
        try:
            outcome = await self._reconciler.reconcile(revision, overtaken)
        finally:
            self.reconciling = False
        self.last = outcome
        if outcome.verdict not in _WAITS:
            self._judged(revision, overtaken)
        if outcome.verdict is Verdict.APPLIED and seen_at is not None:
            self.applied_at = self._wall()
            self.took = max(0.0, self.applied_at - seen_at)
        if outcome.verdict is Verdict.UNAVAILABLE and not outcome.unverified:
            self._tracker.doubt()  # of a remote: is the clone damaged?
        if outcome.verdict is Verdict.REJECTED and self._journal.table.applied is None:
            logger.warning("not ready: no revision is in force yet, waiting for a good one")
        if outcome.verdict is not Verdict.UNAVAILABLE or self._journal.table.applied is not None:
            self.looked.set()
        self._tell(outcome)
        return outcome.verdict

    def _has_verdict(self, revision: Revision) -> bool:
        last = self.last
        return last is not None and last.commit == revision.commit and last.verdict not in _WAITS

    def _judged(self, revision: Revision, overtaken: tuple[Revision, ...]) -> None:
        """A revision has its verdict, and so have those before it: what was noted of them meanwhile is settled."""
        settled = {revision.commit, *(one.commit for one in overtaken)}
        left = [one for one in self._overtaken if one.commit not in settled]
        self._overtaken.clear()
        self._overtaken.extend(left)

    def _tell(self, outcome: Outcome) -> None:
        passed = [Outcome(Verdict.SUPERSEDED, commit) for commit in outcome.superseded]
        for one in (*passed, outcome):
            self._metrics.revisions.labels(one.verdict).inc()
            for listener in self.on_outcome:
                listener(one)
