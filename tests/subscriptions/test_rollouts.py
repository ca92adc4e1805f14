"""Which subscriptions a revision concerned is kept, the newest revisions only."""

import asyncio
from pathlib import Path

from gitops_profile.subscriptions import ROLLOUTS, StoredRollout, SubscriptionStore


async def keep(store: SubscriptionStore, rollout: StoredRollout) -> None:
    done: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    store.submit_rollout(rollout, done.set_result)
    assert await done is None


async def test_the_newest_rollouts_are_there_after_a_restart_each_once(tmp_path: Path) -> None:
    store = SubscriptionStore.open(tmp_path / "subscriptions.db")
    store.start(asyncio.get_running_loop())
    for number in range(ROLLOUTS + 3):
        await keep(store, StoredRollout(f"c{number}", float(number), ("s1", f"s{number}")))
    await keep(store, StoredRollout("c40", 99.0, ()))
    store.close()
    again = SubscriptionStore.open(tmp_path / "subscriptions.db")
    found = again.rollouts()
    again.close()
    assert [one.revision for one in found] == [f"c{n}" for n in range(3, ROLLOUTS + 3) if n != 40] + ["c40"]
    assert found[0] == StoredRollout("c3", 3.0, ("s1", "s3")) and found[-1] == StoredRollout("c40", 99.0, ())


async def test_its_time_follows_a_clock_that_was_set(tmp_path: Path) -> None:
    store = SubscriptionStore.open(tmp_path / "subscriptions.db")
    store.start(asyncio.get_running_loop())
    await keep(store, StoredRollout("c1", 1000.0, ()))
    store.clock_jumped(50.0)
    store.close()
    again = SubscriptionStore.open(tmp_path / "subscriptions.db")
    assert again.rollouts() == [StoredRollout("c1", 1050.0, ())]
    again.close()
