"""The subscriber on a real line."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from .line import PhoneError, open_line
from .subscriber import Received, Subscriber, SubscriberSettings


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
            if received.kind in ("accepted", "challenged", "refused"):
                self._answered.set()
            if received.kind != "challenged":
                self._received.put_nowait(received)

    async def subscribe(self, expires: int | None = None) -> None:
        """Send a SUBSCRIBE, and another one when it is challenged; raises PhoneError when nobody answers."""
        await self._send_subscribe(expires)
        if self.subscriber.challenged:
            await self._send_subscribe(expires)

    async def _send_subscribe(self, expires: int | None) -> None:
        """Send one and repeat it as Timer E says until it is answered; raises PhoneError after Timer F."""
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
    settings: SubscriberSettings,
    server: tuple[str, int],
    transport: str = "udp",
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Phone]:
    """A phone with its line, closed at the end; `context` is for TLS (`server_context`). Raises PhoneError."""
    async with open_line(transport, server, context) as line:
        subscriber = Subscriber(settings, transport, line.local, lambda: secrets.token_hex(6))
        phone = Phone(subscriber, line.send, transport != "udp")

        async def read() -> None:
            async for message in line.messages():
                phone.feed(message)

        reading = asyncio.get_running_loop().create_task(read())
        try:
            yield phone
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
