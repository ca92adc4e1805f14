"""A desk phone on real sockets: it boots, fetches, waits for a check-sync, and fetches again."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from .files import Files
from .handset import GROUP, Handset, Told
from .line import PhoneError

ASKS = (0.5, 1.0, 2.0)
"""Seconds that it waits for an answer to plug and play before it asks once more, or goes on without."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the phone did, or that was done to it."""

    kind: str
    """"asked", "url", "fetched", "sent", "told", "challenged", "refused", "rebooting", "ready" or "failed"."""
    detail: str
    status: int | None = None
    etag: str | None = None
    body: bytes = field(default=b"", repr=False)


class Hardware:
    """One phone. `steps()` is its life."""

    def __init__(
        self,
        handset: Handset,
        files: Files,
        sock: socket.socket,
        *,
        url: str | None = None,
        group: tuple[str, int] = GROUP,
        by_multicast: bool = True,
    ) -> None:
        """`sock` is a bound UDP socket that does not block; without a `url` plug and play says where its files are."""
        self._handset = handset
        self._files = files
        self._socket = sock
        self._url = url
        self._group = group
        self._by_multicast = by_multicast

    async def steps(self) -> AsyncIterator[Step]:
        """What happens, for ever."""
        async for step in self._boot():
            yield step
        while True:
            told = await self._told()
            if told.kind in ("challenged", "refused"):
                yield Step(told.kind, told.detail)
                continue
            yield Step("told", told.detail)
            if told.kind == "reboot":
                yield Step("rebooting", told.detail)
                async for step in self._boot():
                    yield step
            elif self._url is not None:
                async for step in self._fetch(self._url):
                    yield step

    async def _boot(self) -> AsyncIterator[Step]:
        """Plug and play, unless its URL is given, then its files."""
        if self._by_multicast:
            request = self._handset.ask()
            if request is not None:
                for wait in ASKS:
                    self._socket.sendto(request, self._group)
                    yield Step("asked", f"plug and play of {self._group[0]}:{self._group[1]}")
                    try:
                        async with asyncio.timeout(wait):
                            told = await self._told()
                            while told.kind != "url":
                                told = await self._told()
                    except TimeoutError:
                        continue
                    self._url = told.detail
                    yield Step("url", told.detail)
                    break
        if self._url is None:
            yield Step("failed", "nobody said where its files are: give --url, or serve with --pnp")
            return
        async for step in self._fetch(self._url):
            yield step

    async def _fetch(self, url: str) -> AsyncIterator[Step]:
        got = False
        last = url
        for name in self._files.names(url):
            try:
                answer = await self._files.get(name)
            except PhoneError as error:
                yield Step("failed", str(error))
                return
            got, last = got or answer.status in (200, 304), name
            yield Step("fetched", answer.url, answer.status, answer.etag, answer.body)
        try:
            sent = await self._files.put_log(last, f"{time.time():.0f} it has booted\n")
        except PhoneError as error:
            yield Step("failed", str(error))
            return
        if sent is not None:
            yield Step("sent", sent.url, sent.status)
        yield Step("ready", "it has its files" if got else "it has no file, and waits")

    async def _told(self) -> Told:
        """The next thing that a message comes to."""
        loop = asyncio.get_running_loop()
        while True:
            data, sender = await loop.sock_recvfrom(self._socket, 65535)
            answer, told = self._handset.receive(data)
            if answer is not None:
                self._socket.sendto(answer, sender)
            if told is not None:
                return told


def open_socket(address: str, port: int = 0) -> socket.socket:
    """A phone's UDP socket at this address, from which multicast leaves too. Raises PhoneError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind((address, port))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    except OSError as error:
        sock.close()
        raise PhoneError(f"{address}:{port} cannot be used: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def new_token() -> str:
    """For tags, branches and Call-IDs."""
    return secrets.token_hex(6)
