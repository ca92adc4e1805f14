"""The follower with a tracker and a reconciler of the test's own: who overtook whom, and who is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from gitops_profile.eventlog import MemoryEventLog
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import PresentityTable
from gitops_profile.reconcile import Journal, Outcome, Verdict
from gitops_profile.server.follower import Follower
from gitops_profile.source import RefGone, Revision


def revision(name: str) -> Revision:
    return Revision(name * 40, "A <a@example.com>", "C <c@example.com>", "2026-01-01T00:00:00Z", name, "")


class Tracker:
    def __init__(self) -> None:
        self.seen: asyncio.Queue[Revision | RefGone] = asyncio.Queue()
        self.doubts = 0

    def doubt(self) -> None:
        self.doubts += 1

    async def __aiter__(self) -> AsyncIterator[Revision | RefGone]:
        while True:
            yield await self.seen.get()


class Reconciler:
    """Answers with the verdicts it was given, once it may."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)
        self.calls: list[tuple[str, list[str]]] = []
        self.free = asyncio.Semaphore(0)
        self.unverified = False

    async def reconcile(self, one: Revision, overtaken: Sequence[Revision] = ()) -> Outcome:
        self.calls.append((one.message, [other.message for other in overtaken]))
        await self.free.acquire()
        passed = tuple(other.commit for other in overtaken)
        return Outcome(self.verdicts.pop(0), one.commit, superseded=passed, unverified=self.unverified)

    async def warm_up(self) -> None:
        pass


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def follow(reconciler: Reconciler, *steps: str) -> tuple[Follower, list[Any]]:
    """Each step is a letter that the tracker sees, `-` for a ref that is gone, or `.` for an answer."""
    tracker, told, now = Tracker(), list[Any](), [100.0]
    journal = Journal(MemoryEventLog(), PresentityTable(), 0, 0)
    follower = Follower(tracker, reconciler, journal, Metrics(), wall=lambda: now[0])  # type: ignore[arg-type]
    follower.on_outcome.append(lambda outcome: told.append((outcome.commit[0], outcome.verdict.value)))
    tasks = [asyncio.ensure_future(follower.track()), asyncio.ensure_future(follower.follow())]
    for step in "".join(steps):
        now[0] += 1
        match step:
            case ".":
                reconciler.free.release()
            case "-":
                tracker.seen.put_nowait(RefGone("main"))
            case _:
                tracker.seen.put_nowait(revision(step))
        await turns()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return follower, told


async def test_what_is_seen_while_another_is_looked_at_is_overtaken_by_the_next() -> None:
    reconciler = Reconciler(Verdict.APPLIED, Verdict.APPLIED, Verdict.APPLIED)
    follower, told = await follow(reconciler, "a", "bc", "..", "d.")
    assert reconciler.calls == [("a", []), ("c", ["b"]), ("d", [])]
    assert told == [("a", "applied"), ("b", "superseded"), ("c", "applied"), ("d", "applied")]
    assert follower.took == 1.0 and follower.applied_at == 107.0


async def test_what_waits_or_is_suspended_stays_without_a_verdict_until_it_is_overtaken() -> None:
    reconciler = Reconciler(Verdict.SUSPENDED, Verdict.SUSPENDED, Verdict.APPLIED, Verdict.APPLIED)
    follower, _ = await follow(reconciler, "a.", "b.", "c.", "d.")
    assert reconciler.calls == [("a", []), ("b", ["a"]), ("c", ["a", "b"]), ("d", [])]
    assert follower.last is not None and follower.last.verdict is Verdict.APPLIED


async def test_a_signature_that_cannot_be_checked_puts_no_doubt_on_the_clone() -> None:
    for unverified, doubts in ((False, 1), (True, 0)):
        reconciler = Reconciler(Verdict.UNAVAILABLE)
        reconciler.unverified = unverified
        follower, told = await follow(reconciler, "a.")
        assert told == [("a", "unavailable")]
        assert follower._tracker.doubts == doubts  # type: ignore[attr-defined]


async def test_a_ref_that_is_gone_is_known_and_forgotten_when_it_is_back() -> None:
    reconciler = Reconciler(Verdict.APPLIED, Verdict.APPLIED)
    follower, _ = await follow(reconciler, "a.", "-")
    assert follower.gone and follower.looked.is_set()
    follower, _ = await follow(Reconciler(Verdict.APPLIED, Verdict.APPLIED), "a.", "-", "b.")
    assert not follower.gone and follower.head_seen == "b" * 40
