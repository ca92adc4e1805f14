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
    at: float = field(default_factory=time.time, compare=False)
    """Unix seconds."""


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
        self._heard: asyncio.Queue[Told] = asyncio.Queue()

    async def steps(self) -> AsyncIterator[Step]:
        """What happens, for ever. It answers at once whatever it is doing; what it is told it does one after the other.

        Raises PhoneError when it cannot ask.
        """
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._receive)
        try:
            async for step in self._live():
                yield step
        finally:
            loop.remove_reader(self._socket)

    async def _live(self) -> AsyncIterator[Step]:
        async for step in self._boot():
            yield step
        while True:
            told = await self._heard.get()
            if told.kind in ("challenged", "refused"):
                yield Step(told.kind, told.detail)
            elif told.kind == "reboot":
                yield Step("told", told.detail)
                yield Step("rebooting", told.detail)
                async for step in self._boot():
                    yield step
            elif told.kind == "fetch":
                yield Step("told", told.detail)
                async for step in self._fetch():
                    yield step

    async def _boot(self) -> AsyncIterator[Step]:
        """Plug and play, unless its URL is given, then its files."""
        request = self._handset.ask() if self._by_multicast else None
        if request is not None:
            for wait in ASKS:
                self._ask(request)
                yield Step("asked", f"plug and play of {self._group[0]}:{self._group[1]}")
                url = await self._url_within(wait)
                if url is not None:
                    self._url = url
                    yield Step("url", url)
                    break
        async for step in self._fetch():
            yield step

    async def _url_within(self, seconds: float) -> str | None:
        """What plug and play says; a check-sync meanwhile is done by the boot."""
        try:
            async with asyncio.timeout(seconds):
                while (told := await self._heard.get()).kind != "url":
                    continue
        except TimeoutError:
            return None
        return told.detail

    async def _fetch(self) -> AsyncIterator[Step]:
        if self._url is None:
            yield Step("failed", "nobody said where its files are: give --url, or serve with --pnp")
            return
        got = False
        last = self._url
        try:
            async for answer in self._files.run(self._url):
                got, last = got or answer.status in (200, 304), answer.url
                yield Step("fetched", answer.url, answer.status, answer.etag, answer.body)
            sent = await self._files.put_log(last, f"{time.time():.0f} it has booted\n")
        except PhoneError as error:
            yield Step("failed", str(error))
            return
        if sent is not None:
            yield Step("sent", sent.url, sent.status)
        yield Step("ready", "it has its files" if got else "it has no file, and waits")

    def _ask(self, request: bytes) -> None:
        try:
            self._socket.sendto(request, self._group)
        except OSError as error:
            raise PhoneError(f"plug and play of {self._group[0]} cannot be sent: {error.strerror}") from error

    def _receive(self) -> None:
        try:
            data, sender = self._socket.recvfrom(65535)
        except (BlockingIOError, ConnectionError):
            return  # nothing there, or an ICMP answer to an earlier datagram
        answer, told = self._handset.receive(data)
        if told is not None:
            self._heard.put_nowait(told)
        if answer is not None:
            try:
                self._socket.sendto(answer, sender)
            except OSError:
                return  # as if it were lost: the server repeats its NOTIFY, and gets the same answer


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
