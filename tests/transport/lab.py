"""A server on real sockets of loopback, port 0, with a store that is durable at once."""

import asyncio
import ssl
from collections.abc import Callable, Sequence

from gitops_profile.sip import (
    AccessControl,
    Notifier,
    NotifierSettings,
    StoredDelivery,
    StoredSubscription,
    SubscriptionEvent,
)
from gitops_profile.transport import (
    Certificates,
    ListenAddress,
    ListenError,
    NameResolver,
    Reason,
    SIPEndpoint,
    StreamLimits,
    TransportRefused,
    bind_all,
)
from tests.sip.harness import FakePackage

BOTH = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "udp:[::1]:0", "tcp:[::1]:0")


class Store:
    def submit(
        self,
        saves: Sequence[StoredSubscription],
        deletes: Sequence[str],
        done: Callable[[Exception | None], None],
        told: Sequence[StoredDelivery] = (),
    ) -> None:
        asyncio.get_running_loop().call_soon(done, None)


class Lab:
    def __init__(
        self,
        limits: StreamLimits | None = None,
        listen: Sequence[str] = BOTH,
        certificates: Certificates | None = None,
        origins: Sequence[str] | None = None,
        access: AccessControl | None = None,
        resolver: NameResolver | None = None,
    ) -> None:
        self.package = FakePackage()
        self.happened: list[SubscriptionEvent] = []
        self.refused: list[TransportRefused] = []
        self.ports: dict[str, int] = {}
        """By transport; the first listener of each."""
        self._ports: dict[tuple[str, str], int] = {}
        self._listen = listen
        tokens = iter(range(1_000_000))
        self.notifier = Notifier(self.package, NotifierSettings(), lambda: f"x{next(tokens)}", access)
        self.endpoint = SIPEndpoint(
            self.notifier,
            Store(),
            self.happened.append,
            limits,
            certificates=certificates,
            websocket_origins=origins,
            resolver=resolver,
            on_refused=self.refused.append,
        )
        self.port = 0
        self.port6 = 0

    async def __aenter__(self) -> "Lab":
        bound = bind_all([ListenAddress.parse(text) for text in self._listen])
        try:
            await self.endpoint.listen(bound)
        except ListenError:
            for _, sock in bound:
                sock.close()
            raise
        for address, _ in bound:
            self.ports.setdefault(address.transport, address.port)
            self._ports[address.transport, address.host] = address.port
        self.port = bound[0][0].port
        self.port6 = next((address.port for address, _ in bound if ":" in address.host), 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.endpoint.close()

    def port_of(self, transport: str, host: str) -> int:
        """Of the listener on `host`."""
        return self._ports[transport, host]

    @property
    def connections(self) -> int:
        """How many there are, handshakes included."""
        return len(self.endpoint.admission)

    @property
    def reasons(self) -> list[Reason]:
        """Why connections were refused or cut off, in order."""
        return [refused.reason for refused in self.refused]


async def eventually(condition: Callable[[], object]) -> None:
    """Give the loop turns until it is so."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 10 s")


async def talk(
    port: int, data: bytes, *, pieces: int = 1, wait: float = 5.0, context: ssl.SSLContext | None = None
) -> bytes:
    """Send over TCP or TLS, read until an answer is whole, nothing comes for a while, or the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    size = max(1, len(data) // pieces)
    answer = b""
    try:
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
        async with asyncio.timeout(wait):
            while chunk := await reader.read(65536):
                answer += chunk
                if answer.count(b"SIP/2.0 ") >= 1 and answer.endswith(b"\r\n\r\n"):
                    break
    except ConnectionError:
        answer += b"<reset>"
    except TimeoutError:
        answer += b"<timeout>"
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return answer  # the server was the first to close
    return answer


def options(call_id: str = "c", transport: str = "TCP", extra: str = "", body: bytes = b"") -> bytes:
    """A request that any server answers."""
    head = (
        f"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK{call_id};rport\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n{extra}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
