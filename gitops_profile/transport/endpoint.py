"""Pumps the notifier: bytes in, durable batches to the store, bytes out, one timer. It decides nothing."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from gitops_profile.sip import Batch, Flow, Notifier, StoredDelivery, StoredSubscription, SubscriptionEvent
from gitops_profile.sip.syntax import Response

from . import stun
from .address import SECURE, ListenAddress, ListenError
from .clock import LOOK_EVERY, Clock
from .connections import StreamTransport
from .late_resolver import LateResolver, NameResolver
from .limits import Admission, StreamLimits, TransportRefused
from .naming import Naming
from .tls import Certificates
from .udp import UDPTransport

if TYPE_CHECKING:
    from .websocket import WebSocketTransport

logger = logging.getLogger(__name__)


class SubscriptionWriter(Protocol):
    """Whoever makes subscriptions durable."""

    def submit(
        self,
        saves: Sequence[StoredSubscription],
        deletes: Sequence[str],
        done: Callable[[Exception | None], None],
        told: Sequence[StoredDelivery] = (),
    ) -> None:
        """Store and delete, then call `done` in the loop's thread, with what went wrong or None."""


class Companion(Protocol):
    """Whoever sends requests of its own by the same sockets."""

    def receive_response(self, response: Response) -> None:
        """A response to nothing that the notifier has sent."""

    def transport_failed(self, data: bytes) -> None:
        """`data`, perhaps not its own, could not be sent."""


class Colleagues(Protocol):
    """The other workers of this server. Each of these is False when it is nobody's but ours."""

    def take_message(self, data: bytes, flow: Flow) -> bool:
        """Hand a message that came by a socket to whose it is."""

    def take_to_send(self, data: bytes, flow: Flow) -> bool:
        """Hand what is to be sent to whoever has the flow's connection."""

    def take_failure(self, data: bytes, flow: Flow) -> bool:
        """Tell whoever made a request that it could not be sent."""


class SIPEndpoint:
    """A notifier with its sockets."""

    def __init__(
        self,
        notifier: Notifier,
        store: SubscriptionWriter,
        on_event: Callable[[SubscriptionEvent], None],
        limits: StreamLimits | None = None,
        *,
        certificates: Certificates | None = None,
        websocket_origins: Collection[str] | None = None,
        resolver: NameResolver | None = None,
        on_refused: Callable[[TransportRefused], None] = lambda refused: None,
        on_clock_jump: Callable[[float], None] | None = None,
        wall: Callable[[], float] = time.time,
        first_connection: int = 1,
    ) -> None:
        """`certificates` are needed by TLS listeners, and by TLS connections that we open.

        `websocket_origins` are the web sites whose pages may connect; None lets all of them. `on_clock_jump` is told
        how many seconds the wall clock was set; nothing here follows it. `wall` is that clock, and connections are
        numbered from `first_connection` on: for the workers of one server, whose times and numbers are one.
        """
        self.notifier = notifier
        self._store = store
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._clock = Clock(self._loop.time, on_clock_jump, wall=wall)
        self.now = self._clock.now
        self._udp: dict[tuple[str, int], UDPTransport] = {}
        self._wild: list[UDPTransport] = []
        self._certificates = certificates
        self.admission = Admission(limits or StreamLimits(), on_refused, first_connection)
        self._streams = StreamTransport(
            self.admission, self.receive, self.pump, self.send_failed, notifier.refuse,
            certificates.client if certificates is not None else None,
        )  # fmt: skip
        self._websockets: WebSocketTransport | None = None
        self._websocket_origins = websocket_origins
        self.companion: Companion | None = None
        self.colleagues: Colleagues | None = None
        self.resolver = resolver or LateResolver()
        self._naming = Naming(self.resolver, notifier, self.now, self.pump)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        """When it comes: uvloop's handle does not say so of one that is due at once."""
        self._looking = self._loop.call_later(LOOK_EVERY, self._look_at_clock)
        self._traced = logger.isEnabledFor(logging.DEBUG)
        """Looked at once a turn: a call for nothing, four times for each subscription, takes 1.5 µs."""
        self._closed = False
        self._broken = False

    async def listen(self, bound: Iterable[tuple[ListenAddress, socket.socket]]) -> None:
        """Serve sockets that `bind_all` made. Raises ListenError or CertificateError for TLS without a certificate."""
        for address, sock in bound:
            if address.transport != "udp":
                self._connected(address.transport).listen(sock, self._context(address))
                continue
            transport = UDPTransport(sock, self.receive, self.pump, self.send_failed)
            self._udp[transport.bound] = transport
            if address.host in ("0.0.0.0", "::"):
                self._wild.append(transport)

    def _connected(self, transport: str) -> StreamTransport | WebSocketTransport:
        """What has the connections of a transport that has some."""
        if transport in ("tcp", "tls"):
            return self._streams
        if self._websockets is None:
            from .websocket import WebSocketTransport  # aiohttp takes 0.15 s, which the others are spared

            self._websockets = WebSocketTransport(
                self.admission, self.receive, self.pump, self.send_failed, self._websocket_origins
            )
        return self._websockets

    def stand_in(self, bound: Iterable[tuple[ListenAddress, socket.socket]]) -> Callable[[], None]:
        """Read the UDP sockets of a worker that is down, too; what is returned ends that."""
        transports = [
            UDPTransport(sock.dup(), self.receive, self.pump, self.send_failed)
            for address, sock in bound
            if address.transport == "udp"
        ]

        def end() -> None:
            for transport in transports:
                transport.close()

        return end

    def _context(self, address: ListenAddress) -> Callable[[], ssl.SSLContext] | None:
        if address.transport not in SECURE:
            return None
        if self._certificates is None:
            raise ListenError(f"cannot listen on {address}: tls.certificate is not set")
        self._certificates.server()
        return self._certificates.server

    def receive(self, data: bytes, flow: Flow) -> None:
        """One message from a socket."""
        if self._traced:
            logger.debug("< %s %s %d bytes", flow.transport, flow.remote[0], len(data))
        if len(data) < 24 or data[0] <= 1:
            if not data.strip(b"\r\n\0"):
                return  # a keep-alive
            if data[0] <= 1 and flow.transport == "udp":
                self._receive_stun(data, flow)
                return
        if self.colleagues is None or not self.colleagues.take_message(data, flow):
            self.handle(data, flow)

    def handle(self, data: bytes, flow: Flow) -> None:
        """One message that is ours."""
        try:
            self.notifier.receive(data, flow, now=self.now())
        except Exception:
            # A message must not end the server for everybody; what it did is a bug, and says so.
            logger.exception("a message could not be handled source=%s bytes=%d", flow.remote[0], len(data))

    def _receive_stun(self, data: bytes, flow: Flow) -> None:
        """RFC 5626 §8: a datagram that begins with 0 or 1 is no SIP."""
        answer = stun.answer(data, flow.remote)
        if answer is not None:
            self.send(answer, flow)

    def state_changed(self, resources: Iterable[str]) -> None:
        """The documents of these resources changed."""
        self.notifier.state_changed(resources, now=self.now())
        self.pump()

    def pump(self) -> None:
        """Take from the notifier what it has for the world."""
        if self._closed:
            return
        batch = self.notifier.take_batch()
        if batch is not None:
            self._submit(batch)
        for event in self.notifier.events():
            self._on_event(event)
        self._traced = logger.isEnabledFor(logging.DEBUG)
        for data, flow in self.notifier.messages_to_send():
            self.send(data, flow)
        if self.notifier.strays:
            self._hand_over()
        self._naming.ask()
        self._arm()

    def _hand_over(self) -> None:
        """Give what is not the notifier's to its companion; without one it is dropped (RFC 3261 §17.1.1.2)."""
        strays = self.notifier.strays[:]
        self.notifier.strays.clear()
        companion = self.companion
        if companion is None:
            return
        for response in strays:
            try:
                companion.receive_response(response)
            except Exception:
                logger.exception("a response could not be handled status=%d", response.status)  # as in `receive`

    @property
    def clock_offset(self) -> float:
        """Seconds from the monotonic clock to `now`."""
        return self._clock.offset

    def flow_to(self, transport: str, remote: tuple[str, int]) -> Flow | None:
        """A flow to a peer that has not been heard of; None when no listener of that kind can reach it.

        Raises OSError for an address that there is no way to.
        """
        if transport not in ("udp", "tcp", "tls"):
            return None
        family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(remote)  # sends nothing: the kernel says from where it would
            address = probe.getsockname()[0]
        same = [t for t in self._udp.values() if (":" in t.bound[0]) == (":" in remote[0])]
        exact = (t.bound for t in same if t.bound[0] == address)
        wild = ((address, t.bound[1]) for t in same if t in self._wild)
        local = next(exact, None) or next(wild, None)
        if transport != "udp":
            return Flow(transport, local or (address, 0), remote)
        return Flow(transport, local, remote) if local is not None else None

    async def close(self) -> None:
        """Stop listening and sending; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        self._looking.cancel()
        self._clock.check()
        if self._timer is not None:
            self._timer.cancel()
        for transport in self._udp.values():
            transport.close()
        websockets = (self._websockets.close(),) if self._websockets is not None else ()
        await asyncio.gather(self._streams.close(), *websockets, self._naming.close())

    def _submit(self, batch: Batch) -> None:
        if not (batch.rows or batch.told or batch.deletes):
            self.notifier.committed(batch, now=self.now())
            return

        def done(error: Exception | None) -> None:
            if error is None:
                self.notifier.committed(batch, now=self.now())
                if self._broken:
                    logger.warning("subscriptions can be stored again")
            else:
                self.notifier.commit_failed(batch, now=self.now())
                if not self._broken:
                    logger.error("subscriptions cannot be stored, nothing is acknowledged: %s", error)
            self._broken = error is not None
            self.pump()

        self._store.submit(batch.rows, list(batch.deletes), done, batch.told)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send on the flow; what fails is told to the notifier, later."""
        if self._traced:
            logger.debug("> %s %s %d bytes", flow.transport, flow.remote[0], len(data))
        if flow.transport == "udp":
            self._send_datagram(data, flow)
        elif self.colleagues is None or not self.colleagues.take_to_send(data, flow):
            self._connected(flow.transport).send(data, flow)

    def has_connection(self, flow: Flow) -> bool:
        """Whether there is a TCP or TLS connection with the peer of the flow, of whichever number."""
        return self._streams.has_peer(flow)

    def send_here(self, data: bytes, flow: Flow) -> None:
        """Send by a socket of our own."""
        if flow.transport == "udp":
            self._send_datagram(data, flow)
        else:
            self._connected(flow.transport).send(data, flow)

    def _send_datagram(self, data: bytes, flow: Flow) -> None:
        transport = self._udp.get(flow.local) or self._udp_like(flow)
        if transport is None:
            logger.debug("no socket for %s", flow)
            if data.startswith(b"NOTIFY "):  # an answer is the peer's to ask for again (RFC 3261 §18.4)
                self._loop.call_soon(self._unsent, data, flow)  # the caller is still sending
            return
        transport.send(data, flow)

    def _udp_like(self, flow: Flow) -> UDPTransport | None:
        """The socket of a flow whose listener is bound to every address, or was moved since the last start."""
        same_family = [t for t in (*self._wild, *self._udp.values()) if (":" in t.bound[0]) == (":" in flow.remote[0])]
        same_port = (t for t in same_family if t.bound[1] == flow.local[1])
        return next(same_port, same_family[0] if same_family else None)

    def _unsent(self, data: bytes, flow: Flow) -> None:
        self.send_failed(data, flow)
        self.pump()

    def send_failed(self, data: bytes, flow: Flow) -> None:
        """What was to be sent on the flow could not be."""
        if self.colleagues is not None and self.colleagues.take_failure(data, flow):
            return
        self.notifier.transport_failed(data, flow, now=self.now())
        if self.companion is not None:
            self.companion.transport_failed(data)

    def _arm(self) -> None:
        deadline = self.notifier.next_deadline()
        if deadline is None:
            return
        at = deadline - self._clock.offset
        if self._timer is not None and not self._timer.cancelled():
            if self._loop.time() < self._timer_at <= at:
                return  # it comes early enough, and looks again then
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(at, self._due), at

    def _look_at_clock(self) -> None:
        self._clock.check()
        self._looking = self._loop.call_later(2 * LOOK_EVERY, self._look_at_clock)

    def _due(self) -> None:
        self._timer = None
        self.notifier.handle_deadline(now=self.now())
        self.pump()
