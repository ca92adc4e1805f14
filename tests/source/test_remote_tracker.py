"""A tracker that fetches: what it yields, when it asks, and what it says."""

import asyncio
import logging
import time

import pytest

from gitops_profile.source import Clone, RefGone, RefTracker, Repository, Revision, SourceDown, SourceUnavailable

from .clone_lab import CloneLab

PATIENCE = 15


class Following:
    """A tracker under way, and what it has yielded."""

    def __init__(self, tracker: RefTracker) -> None:
        self.tracker = tracker
        self._seen: asyncio.Queue[Revision | RefGone | SourceDown] = asyncio.Queue()
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async for seen in self.tracker:
            self._seen.put_nowait(seen)

    async def next(self) -> Revision | RefGone | SourceDown:
        async with asyncio.timeout(PATIENCE):
            return await self._seen.get()

    async def commit(self) -> str:
        seen = await self.next()
        assert isinstance(seen, Revision), seen
        return seen.commit

    @property
    def nothing_more(self) -> bool:
        return self._seen.empty()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.tracker.close()


async def following(lab: CloneLab, interval: float = 3600.0) -> Following:
    clone = lab.clone()
    await clone.prepare()
    return Following(RefTracker(clone.path, "main", poll=interval, clone=clone))


async def test_what_was_fetched_before_comes_first_and_then_what_the_remote_has(lab: CloneLab) -> None:
    first = lab.remote.push("a: 1\n")
    await lab.fetched()
    second = lab.remote.push("a: 2\n")
    follow = await following(lab)
    assert [await follow.commit(), await follow.commit()] == [first, second]
    assert follow.tracker.status.last_fetch is not None
    await follow.close()


async def test_nothing_is_known_before_the_remote_has_answered(lab: CloneLab) -> None:
    away = lab.remote.base.rename(lab.folder / "away")
    follow = await following(lab)
    assert isinstance(await follow.next(), SourceDown)
    with pytest.raises(SourceUnavailable):
        await follow.tracker.look()
    assert follow.nothing_more, "a remote that is down has not lost its ref"
    away.rename(lab.remote.base)
    await follow.tracker.look()
    assert isinstance(await follow.next(), RefGone)
    commit = lab.remote.push("a: 1\n")
    follow.tracker.nudge()
    assert await follow.commit() == commit
    await follow.close()


async def test_a_look_is_a_fetch_that_began_afterwards(lab: CloneLab) -> None:
    lab.remote.push("a: 1\n")
    follow = await following(lab)
    await follow.tracker.look()
    for number in range(2, 4):
        commit = lab.remote.push(f"a: {number}\n")
        await follow.tracker.look()
        assert lab.read(lab.clone()) == commit
    await follow.close()


async def test_who_nudges_again_and_again_does_not_hammer_the_remote(lab: CloneLab) -> None:
    lab.remote.push("a: 1\n")
    follow = await following(lab)
    await follow.tracker.look()
    before, began = len(lab.reports), time.monotonic()
    while time.monotonic() - began < 1.5:
        follow.tracker.nudge()
        await asyncio.sleep(0.001)
    assert 1 <= len(lab.reports) - before <= 2
    await follow.close()


async def test_the_interval_alone_notices_a_push(lab: CloneLab) -> None:
    lab.remote.push("a: 1\n")
    follow = await following(lab, interval=1.0)
    await follow.next()
    await follow.commit()
    commit = lab.remote.push("a: 2\n")
    assert await follow.commit() == commit
    await follow.close()


async def test_trouble_is_said_once_and_its_end_once(lab: CloneLab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lab.remote.push("a: 1\n")
    follow = await following(lab)
    await follow.tracker.look()
    away = lab.remote.base.rename(lab.folder / "away")
    for _ in range(3):
        with pytest.raises(SourceUnavailable):
            await follow.tracker.look()
    status = follow.tracker.status
    assert status.last_fetch_error and status.next_fetch and status.next_fetch > time.time() + 10, "it backs off"
    away.rename(lab.remote.base)
    await follow.tracker.look()
    lines = [record.getMessage() for record in caplog.records if "source" in record.getMessage()]
    assert [line.partition(" ref")[0] for line in lines] == ["source unavailable", "source available again"]
    assert status.last_fetch_error is None
    await follow.close()


async def test_a_commit_is_yielded_again_after_its_clone_was_made_anew(lab: CloneLab) -> None:
    commit = lab.remote.push("a: 1\n")
    follow = await following(lab)
    assert isinstance(await follow.next(), SourceDown)
    assert await follow.commit() == commit
    clone: Clone = lab.clone()
    for path in [*clone.path.glob("objects/??/*"), *clone.path.glob("objects/pack/*.pack")]:
        path.unlink()
    follow.tracker.doubt()
    assert await follow.commit() == commit
    repository = Repository(clone.path)
    assert len(repository.list_files(commit, ".")) == 1
    repository.close()
    await follow.close()
