"""A desk phone's life, on real sockets: boot, files, check-sync, files again; and what it does when nobody is there."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from gitops_profile.phone import MAKES, Files, Handset, Hardware, PhoneError, Step, hardware, new_token, open_socket

from .test_handset import notify, status

MAC = "0004132a3b4c"


@dataclass
class Server:
    """A responder that is told what to do, and a web server."""

    sock: socket.socket
    http: str = ""
    body: str = "version 1"
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set no file is given."""

    async def heard(self) -> tuple[bytes, tuple[str, int]]:
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recvfrom(self.sock, 65535)

    async def file(self, request: web.BaseRequest) -> web.Response:
        await self.hold.wait()
        return web.Response(text=self.body, headers={"ETag": f'"{self.body}"'})


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    with closing(open_socket("127.0.0.1")) as sock:
        served = Server(sock)
        served.hold.set()
        runner = web.ServerRunner(web.Server(served.file))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.http = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        try:
            yield served
        finally:
            served.hold.set()
            await runner.cleanup()


@asynccontextmanager
async def phone(vendor: str, group: tuple[str, int], url: str | None = None) -> AsyncIterator["Life"]:
    make = MAKES[vendor]
    with closing(open_socket("127.0.0.1")) as sock:
        handset = Handset(make, MAC, sock.getsockname()[:2], new_token, clock=lambda: 1000.0)
        machine = Hardware(handset, Files(make, MAC), sock, url=url, group=group, by_multicast=url is None)
        life = Life(machine, sock.getsockname()[:2])
        task = asyncio.get_running_loop().create_task(life.live())
        try:
            yield life
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Life:
    def __init__(self, machine: Hardware, address: tuple[str, int]) -> None:
        self.address = address
        self._machine = machine
        self._steps: asyncio.Queue[Step] = asyncio.Queue()

    async def live(self) -> None:
        async for step in self._machine.steps():
            self._steps.put_nowait(step)

    async def until(self, kind: str) -> list[str]:
        """The kinds of what happened until one of this kind did."""
        kinds: list[str] = []
        async with asyncio.timeout(10):
            while not kinds or kinds[-1] != kind:
                kinds.append((await self._steps.get()).kind)
        return kinds


def call_id(data: bytes) -> str:
    found = re.search(rb"Call-ID: (\S+)", data)
    assert found is not None
    return found[1].decode()


async def test_it_asks_fetches_and_fetches_again_when_it_is_told() -> None:
    async with server() as site, phone("snom", site.sock.getsockname()[:2]) as life:
        asked, sender = await site.heard()
        assert asked.startswith(b"SUBSCRIBE sip:MAC%3a0004132A3B4C@224.0.1.75") and sender == life.address
        site.sock.sendto(notify("ua-profile", call_id=call_id(asked), body=f"{site.http}x.xml"), sender)
        assert status((await site.heard())[0]) == 200
        assert await life.until("ready") == ["asked", "url", "fetched", "ready"]
        site.sock.sendto(notify("check-sync;reboot=false"), sender)
        assert status((await site.heard())[0]) == 200
        assert await life.until("ready") == ["told", "fetched", "ready"]
        site.sock.sendto(notify("check-sync;reboot=true", cseq=2), sender)
        assert status((await site.heard())[0]) == 200
        again, _ = await site.heard()
        assert again.startswith(b"SUBSCRIBE ") and call_id(again) != call_id(asked), "a boot asks anew"
        site.sock.sendto(notify("ua-profile", call_id=call_id(asked), cseq=7, body="http://late/"), sender)
        assert status((await site.heard())[0]) == 481
        site.sock.sendto(notify("ua-profile", call_id=call_id(again), body=f"{site.http}x.xml"), sender)
        assert await life.until("ready") == ["told", "rebooting", "asked", "url", "fetched", "ready"]


async def test_it_answers_a_check_sync_while_it_fetches_and_fetches_again_after_that() -> None:
    async with server() as site, phone("snom", ("127.0.0.1", 9), f"{site.http}x.xml") as life:
        await life.until("ready")
        site.hold.clear()
        for cseq in (1, 2):
            site.sock.sendto(notify("check-sync;reboot=false", cseq=cseq), life.address)
            assert status((await site.heard())[0]) == 200, "also the second one, while the first's file has not come"
        site.hold.set()
        assert await life.until("ready") == ["told", "fetched", "ready"]
        assert await life.until("ready") == ["told", "fetched", "ready"]


async def test_it_asks_some_times_with_the_same_question_and_then_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hardware, "ASKS", (0.01, 0.01, 0.01))
    async with server() as site, phone("yealink", site.sock.getsockname()[:2]) as life:
        assert await life.until("failed") == ["asked", "asked", "asked", "failed"]
        assert len({(await site.heard())[0] for _ in range(3)}) == 1


async def test_a_phone_whose_server_is_away_fetches_when_it_is_told_later() -> None:
    async with server() as site, phone("fanvil", ("127.0.0.1", 9), "http://127.0.0.1:1/") as life:
        assert await life.until("failed") == ["failed"]
        site.sock.sendto(b"\0", life.address)
        site.sock.sendto(notify("check-sync"), life.address)
        assert await life.until("failed") == ["told", "failed"]


async def test_what_means_nothing_to_it_is_said_and_nothing_is_fetched() -> None:
    async with server() as site, phone("fanvil", ("127.0.0.1", 9), site.http) as life:
        await life.until("ready")
        site.sock.sendto(notify("presence"), life.address)
        assert status((await site.heard())[0]) == 489
        site.sock.sendto(notify("check-sync", cseq=2), life.address)
        assert (await life.until("ready"))[:2] == ["refused", "told"]


def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(PhoneError, match="cannot be used"):
        open_socket("192.0.2.1")
