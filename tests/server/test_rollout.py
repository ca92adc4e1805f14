"""Which phones a revision concerns, and where each stands: real subscriptions in virtual time, a real database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitops_profile.server.rollout import Progress, Rollouts
from gitops_profile.server.stage import Stage
from gitops_profile.subscriptions import SubscriptionStore
from gitops_profile.workers import Subscriptions
from tests.sip.harness import FakePackage, Lab, Phone


class Bench:
    """A laboratory whose rows are stored, and its rollouts."""

    def __init__(self, path: Path) -> None:
        self.lab = Lab(package=FakePackage({"alice": b"<a/>", "bob": b"<a/>"}))
        self.store = SubscriptionStore.open(path)
        self.store.start(asyncio.get_running_loop())
        self._stored: set[str] = set()
        self.task: asyncio.Task[None] | None = None

    async def start(self, revision: str | None = None) -> None:
        """As a server does once its subscriptions are restored."""
        await self.close_task()
        self.rollouts = Rollouts(self.store, Subscriptions(self.lab.notifier), self.lab.package)
        await self.rollouts.restore(revision, now=self.lab.now)
        self.task = asyncio.get_running_loop().create_task(self.rollouts.run())

    async def close_task(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def save(self) -> None:
        """Bring the database to the rows of the laboratory."""
        done: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        gone = self._stored - self.lab.rows.keys()
        self._stored = set(self.lab.rows)
        self.store.submit(list(self.lab.rows.values()), sorted(gone), done.set_result)
        assert await done is None

    async def progress(self, revision: str) -> Progress:
        await self.save()
        for _ in range(5000):
            found = await self.rollouts.progress(revision)
            if found is not None:
                return found
            await asyncio.sleep(0.001)
        raise AssertionError(f"the phones of {revision} are not known")

    async def counts(self, revision: str) -> dict[str, int]:
        found = await self.progress(revision)
        return {"planned": found.planned, **{str(stage): count for stage, count in found.counts.items() if count}}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "subscriptions.db")
    await made.start()
    yield made
    await made.close_task()
    made.store.close()


async def test_only_those_whose_document_changed_are_concerned(bench: Bench) -> None:
    alice, bob = (Phone(bench.lab, name, call_id=name) for name in ("alice", "bob"))
    alice.subscribe(), bob.subscribe()
    bench.lab.now = 1100.0
    told = bench.lab.change("alice", b"<b/>")
    bench.rollouts.applied("r1", ["alice", "bob"], now=1100.0)
    assert await bench.counts("r1") == {"planned": 1, "notified": 1}
    alice.take(told)
    assert await bench.counts("r1") == {"planned": 1, "acknowledged": 1}
    assert await bench.rollouts.progress("r0") is None


async def test_a_revision_that_was_taken_back_before_it_was_told_is_acknowledged(bench: Bench) -> None:
    Phone(bench.lab, "alice").subscribe()
    phone = Phone(bench.lab, "bob", call_id="b")
    phone.subscribe()
    told = bench.lab.change("bob", b"<b/>")
    bench.rollouts.applied("r1", ["bob"], now=bench.lab.now)
    assert await bench.counts("r1") == {"planned": 1, "notified": 1}
    bench.lab.now += 1
    bench.lab.change("bob", b"<c/>")
    bench.rollouts.applied("r2", ["bob"], now=bench.lab.now)
    assert await bench.counts("r2") == {"planned": 1, "pending": 1}
    phone.take(told)
    assert await bench.counts("r1") == {"planned": 1, "acknowledged": 1}
    assert await bench.counts("r2") == {"planned": 1, "acknowledged": 1}


async def test_an_error_is_unreachable_until_it_answers_also_after_a_restart(bench: Bench) -> None:
    phone = Phone(bench.lab, "alice")
    phone.subscribe()
    bench.lab.now = 1100.0
    phone.take(bench.lab.change("alice", b"<b/>"), answer=500)
    bench.rollouts.applied("r1", ["alice"], now=1100.0)
    assert await bench.counts("r1") == {"planned": 1, "unreachable": 1}
    assert (await bench.progress("r1")).phones[Stage.UNREACHABLE][0].key == "alice"
    before = len(bench.lab.sent)
    bench.lab.restart()
    await bench.start("r1")
    assert await bench.counts("r1") == {"planned": 1, "unreachable": 1}
    phone.take(bench.lab.since(before))
    assert await bench.counts("r1") == {"planned": 1, "acknowledged": 1}


async def test_a_phone_that_comes_back_with_its_contact_stands_for_its_old_subscription(bench: Bench) -> None:
    phone = Phone(bench.lab, "alice")
    phone.subscribe()
    bench.lab.now = 1100.0
    told = bench.lab.change("alice", b"<b/>")
    bench.rollouts.applied("r1", ["alice"], now=1100.0)
    assert await bench.counts("r1") == {"planned": 1, "notified": 1}
    phone.take(told, answer=481)  # it was restarted
    assert await bench.counts("r1") == {"planned": 1, "unreachable": 1}
    Phone(bench.lab, "alice", call_id="another").subscribe()
    assert await bench.counts("r1") == {"planned": 1, "acknowledged": 1}


async def test_whoever_leaves_before_it_is_told_is_gone(bench: Bench) -> None:
    phone = Phone(bench.lab, "alice")
    phone.subscribe(answer=None)  # has never answered, so the next one waits
    await bench.save()
    bench.lab.now += 0.1
    bench.lab.change("alice", b"<b/>")
    bench.rollouts.applied("r1", ["alice"], now=bench.lab.now)
    assert await bench.counts("r1") == {"planned": 1, "pending": 1}
    phone.subscribe(expires=0)
    assert (await bench.progress("r1")).counts[Stage.GONE] + (await bench.progress("r1")).counts[Stage.UNREACHABLE] == 1


async def test_a_server_that_was_killed_before_it_noted_the_phones_counts_who_misses_it(bench: Bench) -> None:
    phone = Phone(bench.lab, "alice")
    phone.subscribe()
    bench.lab.package.documents["alice"] = b"<b/>"
    before = len(bench.lab.sent)
    bench.lab.restart()
    await bench.start("r1")
    assert await bench.counts("r1") == {"planned": 1, "notified": 1}
    phone.take(bench.lab.since(before))
    assert await bench.counts("r1") == {"planned": 1, "acknowledged": 1}
