"""TCP: connections in and out, kept by number; every one of them bounded (invariant I9)."""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import MessageReader, SIPSyntaxError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of stream connections; times in seconds."""

    connections: int = 10_000
    per_source: int = 200
    message_bytes: int = 4 << 20
    unread_bytes: int = 8 << 20
    """What a peer may leave unread before it is cut off."""
    idle: float = 3600.0
    """Longer than any keep-alive interval (RFC 5626 §4.4.1), and than 64 × T1 (RFC 3261 §18)."""
    partial: float = 20.0
    """How long a message may take to arrive."""
    connect: float = 5.0
    linger: float = 2.0
    """For the last answers, after the peer closed its side or the stream lost its frame."""


class _Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, owner: "TCPTransport", number: int) -> None:
        self._owner = owner
        self.number = number
        self._reader = MessageReader(owner.limits.message_bytes)
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.flow: Flow | None = None
        self._ending = False
        """Whether nothing more is read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if peer is None or not self._owner.admit(peer[0]):
            transport.abort()
            return
        transport.set_write_buffer_limits(high=self._owner.limits.unread_bytes)
        self.flow = Flow("tcp", (local[0], local[1]), (peer[0], peer[1]), self.number)
        self._owner.opened(self)
        self._arm(self._owner.limits.idle)

    def data_received(self, data: bytes) -> None:
        if self.flow is None or self._ending:
            return
        try:
            messages, pings = self._reader.feed(data)
        except SIPSyntaxError as error:
            # The frame is lost: RFC 4475 §3.1.2.2-3 says to close, after what was whole is answered.
            self._ending = True
            self._owner.unframed(error, self.flow)
            self._arm(self._owner.limits.linger)
            return
        for _ in range(pings):
            self.write(b"\r\n")  # RFC 5626 §5.4: the pong
        for message in messages:
            self._owner.received(message, self.flow)
        limits = self._owner.limits
        self._arm(limits.partial if self._reader.waiting else limits.idle, keep=self._reader.waiting and not messages)

    def eof_received(self) -> bool:
        self._ending = True
        self._arm(self._owner.limits.linger)
        return True  # a half-closed peer still gets the answers that wait for the store

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.flow is not None:
            self._owner.closed(self)

    def write(self, data: bytes) -> bool:
        """Whether the connection takes it."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > self._owner.limits.unread_bytes:
            logger.warning("connection closed, peer does not read peer=%s", self.flow and self.flow.remote[0])
            transport.abort()
            return False
        transport.write(data)
        return True

    def close(self) -> None:
        """Close after what is written has left."""
        if self._transport is not None:
            self._transport.close()

    def _arm(self, seconds: float, *, keep: bool = False) -> None:
        """Cut the connection after `seconds` without a whole message; `keep` does not restart a running clock."""
        if keep and self._timer is not None and not self._timer.cancelled():
            loop = asyncio.get_running_loop()
            if self._timer.when() <= loop.time() + seconds:
                return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        """The time is up; a peer that does not read what it was sent is not waited for."""
        if self._transport is not None and self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self.close()


class TCPTransport:
    """Every TCP connection of the server."""

    def __init__(
        self,
        limits: StreamLimits,
        on_message: Callable[[bytes, Flow], None],
        on_burst: Callable[[], None],
        on_failed: Callable[[bytes, Flow], None],
        on_unframed: Callable[[SIPSyntaxError, Flow], None],
    ) -> None:
        self._on_unframed = on_unframed
        self.limits = limits
        self._on_message = on_message
        self._on_burst = on_burst
        self._on_failed = on_failed
        self._servers: list[asyncio.Server] = []
        self._connections: dict[int, _Connection] = {}
        self._by_remote: dict[tuple[str, int], _Connection] = {}
        self._per_source: Counter[str] = Counter()
        self._numbers = count(1)
        self._connecting: dict[tuple[str, int], list[tuple[bytes, Flow]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, sock: socket.socket) -> None:
        """Accept connections of a bound socket."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self, next(self._numbers)), sock=sock, backlog=1024)
        self._servers.append(server)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send on the flow's connection, on another one to the same peer, or on a new one."""
        connection = self._connections.get(flow.connection) or self._by_remote.get(flow.remote)
        if connection is not None and connection.write(data):
            return
        if not data.startswith(b"NOTIFY "):
            return  # the peer closed before its answer came
        waiting = self._connecting.get(flow.remote)
        if waiting is not None:
            waiting.append((data, flow))
            return
        self._connecting[flow.remote] = [(data, flow)]
        task = asyncio.get_running_loop().create_task(self._connect(flow))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Close the listeners and every connection."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections.values()):
            connection.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _connect(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        number = next(self._numbers)
        family = socket.AF_INET6 if ":" in flow.remote[0] else socket.AF_INET
        try:
            async with asyncio.timeout(self.limits.connect):
                _, protocol = await loop.create_connection(
                    lambda: _Connection(self, number), flow.remote[0], flow.remote[1], family=family
                )
        except OSError as error:
            logger.debug("tcp connect to %s failed: %s", flow.remote[0], error)
            protocol = None
        for data, wanted in self._connecting.pop(flow.remote, []):
            if protocol is None or not protocol.write(data):
                self._on_failed(data, wanted)
        self._on_burst()

    # -- what connections tell -----------------------------------------------------------------------------------

    def admit(self, host: str) -> bool:
        """Whether one more connection from `host` is within the bounds."""
        full = len(self._connections) >= self.limits.connections or self._per_source[host] >= self.limits.per_source
        if full:
            logger.warning("connection refused, too many source=%s", host)
        return not full

    def opened(self, connection: _Connection) -> None:
        """A connection is in use."""
        assert connection.flow is not None
        self._connections[connection.number] = connection
        self._by_remote[connection.flow.remote] = connection
        self._per_source[connection.flow.remote[0]] += 1

    def closed(self, connection: _Connection) -> None:
        """A connection is gone."""
        assert connection.flow is not None
        if self._connections.pop(connection.number, None) is None:
            return
        remote = connection.flow.remote
        if self._by_remote.get(remote) is connection:
            del self._by_remote[remote]
        self._per_source[remote[0]] -= 1
        if self._per_source[remote[0]] <= 0:
            del self._per_source[remote[0]]

    def received(self, message: bytes, flow: Flow) -> None:
        """One whole message."""
        self._on_message(message, flow)
        self._on_burst()

    def unframed(self, error: SIPSyntaxError, flow: Flow) -> None:
        """A stream that cannot be cut into messages any more: what came before is handled, the rest refused."""
        for message in error.messages:
            self._on_message(message, flow)
        self._on_unframed(error, flow)
        self._on_burst()
