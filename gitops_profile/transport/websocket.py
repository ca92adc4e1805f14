"""SIP over WebSocket and secure WebSocket (RFC 7118): browsers connect to us, and no connection is opened to them.

The WebSocket protocol itself is aiohttp's. Here are the bounds, which are those of streams: aiohttp has none for a
handshake that does not come to its end, for a frame that arrives a byte at a time, or for a peer that does not read.
"""

import asyncio
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http import HttpProcessingError, WebSocketError

from gitops_profile.sip import Flow

from .accept import Acceptor
from .limits import Admission, Reason
from .tls import certificate_names
from .turns import Turns

logger = logging.getLogger(__name__)

SUBPROTOCOL = "sip"
_OFFER = "Sec-WebSocket-Protocol"
SLACK = 1 << 16
"""Bytes that a frame may be longer than a message may: a message that is a little too long gets its 513, which is an
answer; a longer one ends the connection with code 1009."""


class WebSocketTransport:
    """Every WebSocket connection of the server."""

    def __init__(
        self,
        admission: Admission,
        on_message: Callable[[bytes, Flow], None],
        on_burst: Callable[[], None],
        on_failed: Callable[[bytes, Flow], None],
        origins: Collection[str] | None = None,
    ) -> None:
        """`origins` are the web sites whose pages may connect (RFC 6455 §10.2); None lets all."""
        self.admission = admission
        self._turns = Turns(on_burst)
        self._on_message = on_message
        self._on_burst = on_burst
        self._on_failed = on_failed
        self._origins = origins
        self._acceptor = Acceptor(admission)
        self._http = web.Server(self._serve)
        self._connections: dict[int, _Connection] = {}

    def listen(self, sock: socket.socket, context: Callable[[], ssl.SSLContext] | None = None) -> None:
        """Accept connections of a bound socket: wss with a `context`, ws without."""
        name = "ws" if context is None else "wss"
        self._acceptor.listen(sock, lambda number: _Handshake(self._http, self.admission, number, name), context)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send on the flow's connection; there is no other way to a browser (RFC 7118 §5)."""
        connection = self._connections.get(flow.connection)
        if connection is None or not connection.write(data):
            asyncio.get_running_loop().call_soon(self._failed, [data], flow)  # the caller is still sending

    async def close(self) -> None:
        """Close the listeners and say goodbye on every connection."""
        await self._acceptor.close()
        for connection in list(self._connections.values()):
            connection.stop()
        await self._http.shutdown(self.admission.limits.linger)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.protocol
        assert isinstance(protocol, _Handshake)
        refusal = self._refusal(request)
        if refusal is not None:
            self.admission.refuse(protocol.source, Reason.HANDSHAKE)
            refusal.force_close()
            return refusal
        limits = self.admission.limits
        frames = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), autoping=False, heartbeat=limits.ping, compress=False, timeout=limits.linger,
            max_msg_size=limits.message_bytes + SLACK,
        )  # fmt: skip
        await frames.prepare(_with_one_offer(request))
        connection = _Connection(protocol, frames)
        self._connections[protocol.number] = connection
        try:
            await self._run(connection, protocol)
        finally:
            del self._connections[protocol.number]
            self._failed(connection.unsent(), connection.flow)
            protocol.ended()
        return frames

    async def _run(self, connection: "_Connection", protocol: "_Handshake") -> None:
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(connection.write_frames())
            protocol.established()
            while (message := await connection.read()) is not None:
                await self._turns.take(partial(self._received, message, connection))
            if not connection.stopping:  # else it waits for the peer's goodbye
                writing.cancel()

    def _received(self, message: bytes, connection: "_Connection") -> None:
        if message.strip(b"\r\n"):
            self._on_message(message, connection.flow)
        elif message == b"\r\n\r\n":
            connection.write(b"\r\n")  # the keep-alive of RFC 5626 §4.4.1, which RFC 7118 §6 leaves open

    def _refusal(self, request: web.BaseRequest) -> web.Response | None:
        """What a handshake gets that is not one of ours; None when it is."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(
                status=426, text="SIP is spoken here, over WebSocket only.\n", headers={"Upgrade": "websocket"}
            )
        offered = ",".join(request.headers.getall(_OFFER, ()))
        if SUBPROTOCOL not in (name.strip() for name in offered.split(",")):
            return web.Response(status=400, text="Offer the subprotocol sip: Sec-WebSocket-Protocol: sip (RFC 7118).\n")
        origin = request.headers.get("Origin")
        if self._origins is not None and origin is not None and origin not in self._origins:
            return web.Response(status=403, text="Pages of this origin may not connect.\n")
        return None

    def _failed(self, messages: list[bytes], flow: Flow) -> None:
        for data in messages:
            if data.startswith(b"NOTIFY "):
                self._on_failed(data, flow)
        self._on_burst()


def _with_one_offer(request: web.BaseRequest) -> web.BaseRequest:
    """The same, with all lines of subprotocols as one, which they mean (RFC 6455 §11.3.4): aiohttp reads the first."""
    offers = request.headers.getall(_OFFER, ())
    if len(offers) < 2:
        return request
    headers = request.headers.copy()
    headers[_OFFER] = ",".join(offers)
    return request.clone(headers=headers)


class _Handshake(web.RequestHandler):
    """aiohttp's side of one connection, with a clock: for the handshake, then for whatever is not whole yet."""

    def __init__(self, server: web.Server, admission: Admission, number: int, name: str) -> None:
        loop = asyncio.get_running_loop()
        no_log: Any = None  # documented, if not typed
        super().__init__(server, loop=loop, access_log=no_log, lingering_time=0, logger=logger)
        self.admission = admission
        self.number = number
        self.name = name
        self.source = "unknown"
        self._clock: asyncio.TimerHandle | None = None
        self._reason = Reason.HANDSHAKE
        self._watched = False
        self._wire: asyncio.Transport | None = None
        """aiohttp forgets its own when it closes it, which is not the end of it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wire = self.transport
        self.source = (transport.get_extra_info("peername") or ("unknown",))[0]
        self._start(self.admission.limits.handshake)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What peers do wrong is counted, and is no news; that they are gone is neither; what we do wrong is."""
        error = kw.get("exc_info")
        if isinstance(error, HttpProcessingError):
            self.note(Reason.HANDSHAKE)
        elif not isinstance(error, ConnectionError):
            super().log_exception(*args, **kw)

    def established(self) -> None:
        """The handshake is done: from now on a frame has its time."""
        self._watched, self._reason = True, Reason.SLOW
        self.whole()

    def whole(self) -> None:
        """A whole message is here, or a Ping or a Pong."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def ended(self) -> None:
        """Nobody listens any more: what is written has its time to leave."""
        self._watched = False
        self.whole()
        if self._wire is not None:
            self._start(self.admission.limits.linger)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._watched and self._clock is None:
            self._start(self.admission.limits.partial)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._watched, self._wire = False, None
        self.whole()
        super().connection_lost(exc)
        self.admission.release(self.number)

    def cut(self, reason: Reason) -> None:
        """End the connection at once; the peer may not be reading."""
        if self._wire is None:
            return
        if not self._wire.is_closing():
            self.note(reason)
        elif self.name == "wss":
            return  # TLS has a clock for its end, and asyncio's, closed twice, can do nothing more
        self._wire.abort()

    def note(self, reason: Reason) -> None:
        """Tell why the connection is not wanted any more."""
        self.admission.refuse(self.source, reason)

    @property
    def idle(self) -> float:
        """Seconds that the peer may be silent."""
        return self.admission.limits.idle

    def _start(self, seconds: float) -> None:
        self._clock = asyncio.get_running_loop().call_later(seconds, lambda: self.cut(self._reason))


class _Connection:
    """A WebSocket connection in use."""

    def __init__(self, protocol: _Handshake, frames: web.WebSocketResponse) -> None:
        transport = protocol.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        if transport is None or not peer:  # it may have been gone before it was accepted
            raise ConnectionResetError("the peer is gone")
        local = transport.get_extra_info("sockname")
        names = certificate_names(transport.get_extra_info("peercert"))
        self.number = protocol.number
        self.flow = Flow(protocol.name, (local[0], local[1]), (peer[0], peer[1]), protocol.number, names)
        self._protocol = protocol
        self._transport = transport
        self._frames = frames
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._wanted = asyncio.Event()
        self.stopping = False

    def write(self, data: bytes) -> bool:
        """Whether the connection takes it."""
        if self._frames.closed or self._transport.is_closing() or self.stopping:
            return False
        self._protocol.admission.bound_unread(self)
        if self._transport.is_closing():
            return False
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        self._wanted.set()
        return True

    def unread(self) -> int:
        """Bytes that wait for the peer."""
        # asyncio's TLS cannot be asked any more when it was closed twice, as aiohttp does.
        written = 0 if self._transport.is_closing() else self._transport.get_write_buffer_size()
        return self._unsent_bytes + written

    def cut(self, reason: Reason) -> None:
        """End the connection at once; the peer is not reading."""
        self._protocol.cut(reason)

    def stop(self) -> None:
        """Say goodbye, after what waits to be sent."""
        self.stopping = True
        self._wanted.set()

    def unsent(self) -> list[bytes]:
        """What was taken and never sent."""
        return list(self._unsent)

    async def write_frames(self) -> None:
        """Send what `write` took, until the connection ends."""
        while True:
            while self._unsent:
                data = self._unsent[0]
                try:
                    await self._send(data)
                except ConnectionError:
                    return  # the reader sees it too
                self._unsent.popleft()
                self._unsent_bytes -= len(data)
            if self.stopping:
                await self._frames.close(code=WSCloseCode.GOING_AWAY)
                return
            self._wanted.clear()
            await self._wanted.wait()

    async def _send(self, data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            await self._frames.send_bytes(data)  # RFC 7118 §4.2: what is no UTF-8 goes as a binary frame
        else:
            await self._frames.send_str(text)

    async def _pong(self, data: bytes) -> bool:
        """Whether there is still somebody to answer."""
        try:
            await self._frames.pong(data)
        except ConnectionError:
            return False
        return True

    async def read(self) -> bytes | None:
        """The next message; None when the connection is over."""
        while True:
            try:
                message = await self._frames.receive(self._protocol.idle)
            except TimeoutError:
                self._transport.abort()
                return None
            self._protocol.whole()
            match message.type:
                case WSMsgType.TEXT:
                    return message.data.encode() if isinstance(message.data, str) else bytes(message.data)
                case WSMsgType.BINARY:
                    return bytes(message.data)
                case WSMsgType.PING:
                    if not await self._pong(message.data):
                        return None
                case WSMsgType.PONG:
                    continue
                case WSMsgType.ERROR:
                    if isinstance(message.data, WebSocketError):  # else the connection broke
                        too_large = message.data.code == WSCloseCode.MESSAGE_TOO_BIG
                        self._protocol.note(Reason.TOO_LARGE if too_large else Reason.UNFRAMED)
                    return None
                case _:
                    return None
