"""Peers that send without a pause are heard one after the other, and hold nobody up."""

import asyncio
import time

from gitops_profile.transport.turns import BUDGET, Turns

from .lab import Lab, options


async def test_everybody_is_heard_before_anybody_is_heard_again() -> None:
    heard: list[str] = []
    turns = Turns(lambda: None)

    def hear(name: str, times: int) -> None:
        def once() -> bool:
            heard.append(name)
            return heard.count(name) < times

        turns.add(once)

    hear("a", 3)
    hear("b", 1)
    hear("c", 2)
    await asyncio.sleep(0.01)
    assert heard == ["a", "b", "c", "a", "c", "a"]


async def test_a_turn_ends_when_its_time_is_up_and_the_loop_goes_on() -> None:
    ends = 0

    def on_end() -> None:
        nonlocal ends
        ends += 1

    turns = Turns(on_end)
    left = 10

    def slow() -> bool:
        nonlocal left
        left -= 1
        time.sleep(BUDGET * 1.1)  # work
        return left > 0

    turns.add(slow)
    turns_of_the_loop = 0
    while left:
        await asyncio.sleep(0)
        turns_of_the_loop += 1
    assert turns_of_the_loop >= 10
    assert ends >= 9


async def test_take_returns_when_the_turn_came() -> None:
    heard = []
    turns = Turns(lambda: None)
    await turns.take(lambda: heard.append(1))
    assert heard == [1]
    waiting = asyncio.ensure_future(turns.take(lambda: heard.append(2)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0.01)
    assert heard in ([1], [1, 2])  # whoever is gone may have been heard, and disturbs nobody
    await turns.take(lambda: heard.append(3))
    assert heard[-1] == 3


async def test_all_of_a_burst_is_answered_though_the_peer_has_closed_its_side() -> None:
    async with Lab() as lab:
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.ports["tcp"])
        writer.write(b"".join(options(f"x{number}") for number in range(300)))
        writer.write_eof()
        async with asyncio.timeout(5):
            answers = await reader.read()
        assert answers.count(b"SIP/2.0 200 OK\r\n") == 300
        writer.close()
