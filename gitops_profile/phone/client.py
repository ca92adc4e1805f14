"""The subscriber on a real socket, UDP or TCP."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gitops_profile.sip.syntax import MessageReader

from .subscriber import Received, Subscriber, SubscriberSettings


class PhoneError(Exception):
    """The server cannot be reached, or does not answer; the message says what to do."""


class Phone:
    """A running subscription."""

    def __init__(self, subscriber: Subscriber, send: Callable[[bytes], None], reliable: bool) -> None:
        self.subscriber = subscriber
        self._send = send
        self._reliable = reliable
        self._received: asyncio.Queue[Received] = asyncio.Queue()
        self._answered = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """A message from the socket."""
        answer, received = self.subscriber.receive(data)
        if answer is not None:
            self._send(answer)
        if received is not None:
            if received.kind in ("accepted", "refused"):
                self._answered.set()
            self._received.put_nowait(received)

    async def subscribe(self, expires: int | None = None) -> None:
        """Send a SUBSCRIBE and repeat it as Timer E says until it is answered; raises PhoneError after Timer F."""
        data = self.subscriber.subscribe(expires)
        self._answered.clear()
        interval, left = 0.5, 32.0
        while left > 0:
            self._send(data)
            pause = left if self._reliable else min(interval, left)
            try:
                async with asyncio.timeout(pause):
                    await self._answered.wait()
                return
            except TimeoutError:
                left -= pause
                interval = min(2 * interval, 4.0)
        raise PhoneError("no answer within 32 seconds: is a server running there? Start one with: gitops-profile serve")

    async def next(self) -> Received:
        """What came next."""
        return await self._received.get()

    @property
    def is_quiet(self) -> bool:
        """Whether everything that came has been taken."""
        return self._received.empty()

    async def keep_refreshed(self) -> None:
        """Refresh in time for as long as the subscription lives."""
        while not self.subscriber.ended:
            await asyncio.sleep(max(1.0, self.subscriber.granted * 0.8))
            if not self.subscriber.ended:
                await self.subscribe()


@asynccontextmanager
async def open_phone(
    settings: SubscriberSettings, server: tuple[str, int], transport: str = "udp"
) -> AsyncIterator[Phone]:
    """A phone with its socket, closed at the end; raises PhoneError."""
    loop = asyncio.get_running_loop()
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    sock = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, kind)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(5):
            await loop.sock_connect(sock, server)
    except OSError as error:
        sock.close()
        raise PhoneError(f"cannot reach {server[0]}:{server[1]} over {transport}: {error}") from error
    host, port = sock.getsockname()[:2]
    subscriber = Subscriber(settings, transport, (host, port), lambda: secrets.token_hex(6))
    tasks: set[asyncio.Task[None]] = set()

    def send(data: bytes) -> None:
        task = loop.create_task(_send(loop, sock, data))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    phone = Phone(subscriber, send, transport == "tcp")
    reader = loop.create_task(_read(loop, sock, phone, transport))
    try:
        yield phone
    finally:
        await asyncio.gather(*tasks, return_exceptions=True)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        sock.close()


async def _send(loop: asyncio.AbstractEventLoop, sock: socket.socket, data: bytes) -> None:
    try:
        await loop.sock_sendall(sock, data)
    except ConnectionError:
        return  # nobody listens there (ICMP): the SUBSCRIBE is repeated, and `subscribe` says so in the end


async def _read(loop: asyncio.AbstractEventLoop, sock: socket.socket, phone: Phone, transport: str) -> None:
    reader = MessageReader(16 << 20)
    while True:
        try:
            data = await loop.sock_recv(sock, 1 << 17)
        except ConnectionRefusedError:
            continue  # an ICMP answer to an earlier datagram
        except ConnectionError:
            return
        if transport == "udp":
            phone.feed(data)
            continue
        if not data:
            return
        for message in reader.feed(data)[0]:
            phone.feed(message)
