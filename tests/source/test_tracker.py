"""Every way in which a ref moves is noticed, once; by watchdog at once, by the poll without it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitops_profile.source import RefGone, RefTracker, Revision, SourceDown
from tests.repositories import Git


class Follower:
    """What a tracker yields, one at a time."""

    def __init__(self, tracker: RefTracker) -> None:
        self.tracker = tracker
        self._stream: AsyncIterator[Revision | RefGone | SourceDown] = tracker.__aiter__()

    async def next(self) -> str | None:
        async with asyncio.timeout(10):
            seen = await anext(self._stream)
        return seen.commit if isinstance(seen, Revision) else None

    async def nothing(self) -> bool:
        """Whether nothing more comes, even when asked to look."""
        self.tracker.nudge()
        try:
            async with asyncio.timeout(0.3):
                await anext(self._stream)
        except TimeoutError:
            self._stream = self.tracker.__aiter__()
            return True
        return False

    async def close(self) -> None:
        await self._stream.aclose()  # type: ignore[attr-defined]
        await self.tracker.close()


@pytest.fixture
def work(tmp_path: Path) -> Git:
    repository = Git(tmp_path / "work")
    repository.commit({"a": "1"})
    return repository


@pytest.mark.parametrize(("poll", "watch"), [(3600.0, True), (0.02, False)])
async def test_every_kind_of_move_is_noticed_once(work: Git, tmp_path: Path, poll: float, watch: bool) -> None:
    follower = Follower(RefTracker(work.folder, "main", poll=poll, watch=watch))
    first = work.head()
    assert await follower.next() == first
    second = work.commit({"a": "2"})
    assert await follower.next() == second
    work("checkout", "-q", "-b", "feature/x")
    work.commit({"b": "1"})
    work("checkout", "-q", "main")
    work("merge", "-q", "--no-ff", "-m", "merge", "feature/x")
    assert await follower.next() == work.head()
    work("revert", "--no-edit", "-m", "1", "HEAD")
    assert await follower.next() == work.head()
    work("reset", "-q", "--hard", first)
    assert await follower.next() == first
    work("pack-refs", "--all")
    packed = work.commit({"a": "3"})
    assert await follower.next() == packed
    work("checkout", "-q", "feature/x")
    work("branch", "-q", "-D", "main")
    assert await follower.next() is None
    work("branch", "main", second)
    assert await follower.next() == second
    await follower.close()


async def test_push_and_force_push_into_a_bare_repository(work: Git, tmp_path: Path) -> None:
    bare = Git(tmp_path / "bare.git", bare=True)
    follower = Follower(RefTracker(bare.folder, "feature/deep/x", poll=3600))
    assert await follower.next() is None  # empty: it waits, and says so
    work("push", "-q", str(bare.folder), "main:feature/deep/x")
    assert await follower.next() == work.head()
    work("commit", "-q", "--amend", "--allow-empty", "-m", "other")
    work("push", "-q", "-f", str(bare.folder), "main:feature/deep/x")
    assert await follower.next() == work.head()
    await follower.close()


async def test_the_same_commit_is_not_told_twice(work: Git) -> None:
    follower = Follower(RefTracker(work.folder, "main", poll=3600))
    assert await follower.next() == work.head()
    assert await follower.nothing()
    await follower.close()


async def test_a_linked_worktree_follows_its_branch(work: Git, tmp_path: Path) -> None:
    work("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    follower = Follower(RefTracker(tmp_path / "side", "side", poll=3600))
    assert await follower.next() == work.head()
    (tmp_path / "side" / "new").write_text("1")
    for arguments in (("add", "-A"), ("commit", "-q", "-m", "side")):
        work("-C", str(tmp_path / "side"), *arguments)
    assert await follower.next() == work("rev-parse", "side")
    await follower.close()


async def test_an_empty_repository_waits_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = Git(tmp_path / "empty")
    follower = Follower(RefTracker(empty.folder, "main", poll=3600))
    assert await follower.next() is None
    assert "empty" in caplog.text
    commit = empty.commit({"a": "1"})
    assert await follower.next() == commit
    await follower.close()


@pytest.mark.parametrize("broken", ["empty ref", "missing commit"])
async def test_who_waits_for_the_first_look_is_told_that_it_was_in_vain(work: Git, broken: str) -> None:
    head = work.head()
    ref, commit = work.folder / ".git/refs/heads/main", work.folder / ".git/objects" / head[:2] / head[2:]
    if broken == "empty ref":
        ref.write_text("")  # what a power cut leaves of one that was just written
    else:
        commit.rename(work.folder / "away")
    tracker = RefTracker(work.folder, "main", poll=3600)
    stream = tracker.__aiter__()
    async with asyncio.timeout(10):
        seen = await anext(stream)
    assert isinstance(seen, SourceDown) and seen.reason == tracker.trouble != ""
    ref.write_text(f"{head}\n")
    if broken == "missing commit":
        (work.folder / "away").rename(commit)
    tracker.nudge()
    async with asyncio.timeout(10):
        seen = await anext(stream)
    assert isinstance(seen, Revision) and seen.commit == head
    await stream.aclose()  # type: ignore[attr-defined]
    await tracker.close()


@pytest.mark.parametrize("again", ["moved back", "cloned anew"])
async def test_a_repository_that_vanishes_is_waited_for(
    work: Git, tmp_path: Path, again: str, caplog: pytest.LogCaptureFixture
) -> None:
    follower = Follower(RefTracker(work.folder, "main", poll=3600))
    assert await follower.next() == work.head()
    away = tmp_path / "away"
    work.folder.rename(away)
    waiting = asyncio.ensure_future(follower.next())
    while "is gone" not in caplog.text:
        follower.tracker.nudge()
        await asyncio.sleep(0.01)
    assert caplog.text.count("is gone") == 1 and not waiting.done()
    if again == "moved back":
        away.rename(work.folder)
    else:
        work.folder.mkdir()
        work("clone", "-q", str(away), ".")
    commit = work.commit({"a": "2"})
    follower.tracker.nudge()
    assert await waiting == commit
    commit = work.commit({"a": "3"})
    assert await follower.next() == commit, "it is watched again"
    await follower.close()
