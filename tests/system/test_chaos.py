"""Commits, reverts, kills and restarts in a random order: in the end every phone has the newest document."""

import asyncio
import random
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from gitops_profile.phone import Phone, Received, SubscriberSettings, open_phone

from .lab import PATIENCE, Lab, profile

pytestmark = [pytest.mark.system, pytest.mark.slow]

USERS = ("alice", "bob", "carol", "dave", "erin", "frank")
ROUNDS = 24


@dataclass
class Desk:
    """A phone, and all that it was told."""

    user: str
    phone: Phone
    told: list[Received] = field(default_factory=list)

    async def has(self, body: bytes) -> None:
        """Wait until the last document told is this one."""
        async with asyncio.timeout(PATIENCE):
            while not self.told or self.told[-1].body != body:
                await self._take()

    async def _take(self) -> None:
        received = await self.phone.next()
        assert received.kind in ("accepted", "document", "unchanged"), (self.user, received)
        if received.kind != "accepted":
            self.told.append(received)

    async def take_all(self) -> None:
        while not self.phone.is_quiet:
            await self._take()


@pytest.mark.parametrize("seed", [7, 20])
async def test_chaos(lab: Lab, seed: int) -> None:
    choose = random.Random(seed)
    versions = dict.fromkeys(USERS, 0)
    history = [dict(versions)]
    await asyncio.to_thread(lambda: lab.write(**versions))
    await asyncio.to_thread(lab.server.start)
    kills = 0
    async with AsyncExitStack() as stack:
        desks = []
        for user in USERS:
            settings = SubscriberSettings(f"sip:{user}@example.com")
            phone = await stack.enter_async_context(open_phone(settings, ("127.0.0.1", lab.server.port)))
            await phone.subscribe()
            desks.append(Desk(user, phone))
            await desks[-1].has(profile(user, 0))
        for number in range(1, ROUNDS + 1):
            match choose.choice(["commit", "commit", "revert", "kill", "terminate", "wait"]):
                case "commit":
                    changed = choose.sample(USERS, choose.randint(1, 3))
                    versions |= dict.fromkeys(changed, number)
                    history.append(dict(versions))
                    await asyncio.to_thread(lambda new: lab.write(**new), dict(versions))
                case "revert" if len(history) > 1:
                    versions = dict(history[-2])
                    history.append(dict(versions))
                    await asyncio.to_thread(lab.revert)
                case "kill":
                    kills += 1
                    await asyncio.to_thread(lab.server.end, signal.SIGKILL)
                    await asyncio.to_thread(lab.server.start)
                case "terminate":
                    assert await asyncio.to_thread(lab.server.end) == 0
                    await asyncio.to_thread(lab.server.start)
                case _:
                    for desk in desks:
                        await desk.has(profile(desk.user, versions[desk.user]))
        for desk in desks:
            await desk.has(profile(desk.user, versions[desk.user]))
        # One more for everybody: had anybody been told too much, it would have come before this.
        await asyncio.to_thread(lambda: lab.write(**dict.fromkeys(USERS, "last")))
        for desk in desks:
            await desk.has(profile(desk.user, "last"))
            await desk.take_all()
    _judge(desks, kills)


def _judge(desks: list[Desk], kills: int) -> None:
    for desk in desks:
        numbers = [received.cseq for received in desk.told]
        assert all(a is not None and b is not None and a < b for a, b in zip(numbers, numbers[1:], strict=False)), (
            desk.user, numbers,
        )  # fmt: skip
        again = [a for a, b in zip(desk.told, desk.told[1:], strict=False) if a.body == b.body]
        # Only one whose 200 had not become durable when the server was killed may be sent once more.
        assert len(again) <= kills, (desk.user, [received.body for received in again])
