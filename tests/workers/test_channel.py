"""The words between the main process and a worker, on both event loops: the main process may have the other one."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from gitops_profile.workers import Channel


@pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_what_is_said_is_heard_and_the_end_too(loop_factory: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
    async def talk() -> list[Any]:
        heard: asyncio.Queue[list[Any]] = asyncio.Queue()
        ours, theirs = socket.socketpair()
        here, there = await Channel.open(ours, heard.put_nowait), await Channel.open(theirs, heard.put_nowait)
        here.say("rows", [1, b"two"])
        here.say("begin")
        here.close()
        async with asyncio.timeout(5):
            await there.closed.wait()
        return [heard.get_nowait(), heard.get_nowait()]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(talk()) == [["rows", [1, b"two"]], ["begin"]]
