"""When the snapshot of the table is written: while nobody waits for anything else."""

import asyncio

import pytest

from gitops_profile.eventlog import MemoryEventLog
from gitops_profile.presentity import PresentityTable, ProfileAdded, ProfileDocument, ProfileKey, RevisionStamp
from gitops_profile.reconcile import Journal, replay
from gitops_profile.reconcile import journal as journal_module
from gitops_profile.server import snapshots
from gitops_profile.server.snapshots import Snapshots

STAMP = RevisionStamp("c" * 40, "Ann", "Ann", "2025-01-01T00:00:00Z", "change")


class Bench:
    def __init__(self) -> None:
        self.log = MemoryEventLog()
        self.journal = Journal(self.log, PresentityTable(), 0, 0)
        self.applying = self.telling = False
        self.snapshots = Snapshots(self.journal, lambda: self.applying, lambda: self.telling)

    async def add(self, first: int, count: int) -> None:
        users = (ProfileKey.user("example.com", f"u{number}") for number in range(first, first + count))
        documents = (ProfileDocument(key, "text/xml", b"<u/>", f"{key}.xml") for key in users)
        await self.journal.append([ProfileAdded(document, STAMP) for document in documents])

    async def position(self, wanted: int | None) -> int | None:
        """Where the snapshot stands once it stands at `wanted`, or a while later."""
        for _ in range(200):
            found = await self.log.load_snapshot()
            if found is not None and found[0] == wanted:
                return found[0]
            await asyncio.sleep(0.002)
        found = await self.log.load_snapshot()
        return found[0] if found is not None else None


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LOOK_EVERY", 0.005)
    monkeypatch.setattr(journal_module, "SNAPSHOT_EVERY", 600)


async def test_it_waits_for_what_is_being_applied_and_told_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    monkeypatch.setattr(snapshots, "PATIENCE", 1_000_000)
    bench.telling = True
    running = asyncio.ensure_future(bench.snapshots.run())
    await bench.add(0, 700)
    assert await bench.position(None) is None
    bench.telling = False
    assert await bench.position(700) == 700
    monkeypatch.setattr(snapshots, "PATIENCE", 3)
    bench.telling = True
    await bench.add(700, 700)
    assert await bench.position(1400) == 1400
    assert (await replay(bench.log)).table == bench.journal.table
    running.cancel()


async def test_a_revision_that_comes_meanwhile_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    monkeypatch.setattr(snapshots, "PATIENCE", 1_000_000)
    await bench.add(0, 700)
    pieces = bench.journal.table.snapshot()

    def snapshot() -> object:
        yield next(pieces)
        bench.applying = True
        yield from pieces

    monkeypatch.setattr(bench.journal.table, "snapshot", snapshot)
    running = asyncio.ensure_future(bench.snapshots.run())
    assert await bench.position(None) is None and bench.applying
    await bench.add(700, 10)
    bench.applying = False
    assert await bench.position(700) == 700, "the table as it was when the snapshot began"
    assert (await replay(bench.log)).table == bench.journal.table
    running.cancel()


async def test_a_small_change_is_not_worth_one() -> None:
    bench = Bench()
    running = asyncio.ensure_future(bench.snapshots.run())
    await bench.add(0, 599)
    assert await bench.position(599) is None
    running.cancel()
