"""A stranger's watch tells him nothing: an unknown device takes as long to refuse as somebody else's (invariant I10).

Requests for both alternate, over one connection each, in many short rounds; a round says by how much their medians
differ, and the rounds together how sure that is. The same statistics must see a difference that was made on purpose:
else the test would pass whatever the server did.
"""

import asyncio
import base64
import gc
import math
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import pytest

from gitops_profile.http import Way

from .device_site import DESK, LOBBY, LOOPBACK, PROXIED, UNKNOWN, DeviceSite
from .site import DOMAIN

pytestmark = pytest.mark.alone

ROUNDS, PAIRS = 40, 40
NOTICEABLE = 10e-6
"""Seconds. Over a network a thousand times as many requests would be needed to see it, and a ban comes after thirty."""
ON_PURPOSE = 40e-6


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two kinds of requests, in seconds."""

    mean: float
    error: float
    """Of the mean: its standard error."""

    @classmethod
    def of(cls, rounds: list[float]) -> "Difference":
        """The mean without the tenth of the rounds at each end: a round in which the machine did something else."""
        kept = sorted(rounds)[len(rounds) // 10 : -(len(rounds) // 10)]
        return cls(statistics.fmean(kept), statistics.stdev(kept) / math.sqrt(len(kept)))

    @property
    def is_seen(self) -> bool:
        """More than what is noticeable, and no accident (four standard errors)."""
        return abs(self.mean) > NOTICEABLE and abs(self.mean) > 4 * self.error


class Asking:
    """One kept-alive connection that asks for one thing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        self._reader, self._writer, self._request = reader, writer, request
        self.answers: set[bytes] = set()

    async def once(self) -> float:
        """Seconds until the answer is here."""
        start = time.perf_counter()
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self._reader.readexactly(length)
        took = time.perf_counter() - start
        self.answers.add(head.split(b" ", 2)[1])
        return took


@asynccontextmanager
async def asking(site: DeviceSite, path: str, authorization: str) -> AsyncIterator[Asking]:
    host, _, port = site.root.split("/")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    fields = {"Host": "x", **PROXIED} | ({"Authorization": authorization} if authorization else {})
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    try:
        yield Asking(reader, writer, f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
    finally:
        writer.close()


@contextmanager
def without_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def compare(one: Asking, other: Asking) -> Difference:
    rounds = []
    for asked in (one, other):
        for _ in range(100):  # what is warm is compared with what is warm
            await asked.once()
    with without_collection():
        for number in range(ROUNDS):
            times: tuple[list[float], list[float]] = ([], [])
            for pair in range(PAIRS):
                for which in (0, 1) if (number + pair) % 2 else (1, 0):  # neither is always the first
                    times[which].append(await (one, other)[which].once())
            rounds.append(statistics.median(times[0]) - statistics.median(times[1]))
    return Difference.of(rounds)


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def slower_for_whoever_is_there(name: str) -> None:
    """A look-up costs more for somebody who exists."""
    end = time.perf_counter() + ON_PURPOSE / 2  # there are two
    while name == LOBBY and time.perf_counter() < end:
        pass


@pytest.mark.parametrize(
    ("ways", "authorization"),
    [((Way.LINK,), ""), ((), ""), ((Way.BASIC,), basic(DESK, "desk"))],
    ids=["a stranger", "where nobody shows anything", "another phone"],
)
@pytest.mark.parametrize("on_purpose", [False, True], ids=["as it is", "with a difference"])
async def test_an_unknown_device_takes_as_long_as_a_forbidden_one(
    ways: tuple[Way, ...], authorization: str, on_purpose: bool
) -> None:
    # Where nobody shows anything, what is sensitive is for nobody over plain http.
    site = DeviceSite(ways=ways, sensitive=True, proxies=LOOPBACK if ways else (), misses=1000)
    if on_purpose:
        site.on_look_up = slower_for_whoever_is_there
    await site.start()
    paths = [f"/p/{DOMAIN}/{device}.xml" for device in (LOBBY, UNKNOWN)]
    try:
        async with asking(site, paths[0], authorization) as theirs, asking(site, paths[1], authorization) as nobodys:
            found = await compare(theirs, nobodys)
    finally:
        await site.listener.close()
    assert theirs.answers == nobodys.answers == {b"404"}
    assert found.is_seen == on_purpose, found


async def test_a_wrong_password_takes_as_long_for_an_unknown_device() -> None:
    site = await DeviceSite(ways={Way.BASIC}, proxies=LOOPBACK, guesses_allowed=1_000_000).start()
    path = f"/p/{DOMAIN}/{DESK}.xml"
    try:
        async with (
            asking(site, path, basic(LOBBY, "wrong")) as theirs,
            asking(site, path, basic(UNKNOWN, "wrong")) as nobodys,
        ):
            found = await compare(theirs, nobodys)
    finally:
        await site.listener.close()
    assert theirs.answers == nobodys.answers == {b"401"}
    assert not found.is_seen, found
