"""A start that can be stopped."""

import asyncio

import pytest

from gitops_profile.server.stopping import is_done_before


async def test_what_ends_first_decides() -> None:
    stop = asyncio.Event()
    assert await is_done_before(stop, asyncio.sleep(0))
    asyncio.get_running_loop().call_later(0.01, stop.set)
    assert not await is_done_before(stop, asyncio.sleep(60))
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_its_error_is_raised() -> None:
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await is_done_before(asyncio.Event(), fails())


async def test_who_is_cancelled_leaves_no_work_behind() -> None:
    ended = asyncio.Event()

    async def works() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.set()

    waiting = asyncio.create_task(is_done_before(asyncio.Event(), works()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
