"""The aiohttp application on its sockets. Every bound has an answer: a closed connection, 413, 400 (invariant I9)."""

import asyncio
import gc
import logging
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from .accept import Acceptor
from .client_address import Proxies
from .front import Front, PlainHandler
from .places import CONNECTIONS, Places
from .whole_answer import WRITE_SECONDS

logger = logging.getLogger(__name__)

RequestHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
"""Takes a request."""
_READING = frozenset({"GET", "HEAD"})
_CONTINUE = "100-continue"
LEAVING = 32
"""Connections without a place that may still be open."""
COLLECT_AFTER = 32
"""Requests that are no HTTP: each leaves tracebacks that hold its bytes and each other, a megabyte perhaps."""


class _NoPeersBytes(logging.Filter):
    """Keeps quiet about requests that are no HTTP: they got their 400, and the text would quote credentials (I7).

    It has the garbage collected that they leave, too: nobody else hears of all of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)):
            return True
        self._seen += 1
        if self._seen % COLLECT_AFTER == 0:
            asyncio.get_running_loop().call_soon(gc.collect, 0)
        return False


_aiohttp_logger = logging.getLogger(f"{__name__}.aiohttp")
_aiohttp_logger.addFilter(_NoPeersBytes())


@dataclass(frozen=True, slots=True)
class HTTPLimits:
    """Bounds of one listener."""

    connections: int = CONNECTIONS
    """More are closed at once: a phone comes back, a full table of descriptors stops SIP too."""
    source_share: float = 0.25
    """How much of them one address may have, trusted proxies and Unix sockets aside: others still find a place."""
    head_seconds: float = 10.0
    """For the TLS handshake, and then for the first request's headers: idle connections cannot hold all places."""
    keepalive_seconds: float = 30.0
    body_bytes: int = 65536
    shutdown_seconds: float = 2.0
    """For requests under way to finish at close."""


@dataclass(frozen=True, slots=True)
class Below:
    """GET and HEAD of all paths that begin with a prefix; nothing else may be served there to these methods."""

    prefix: str
    handler: RequestHandler
    """It is given requests that have come past no router."""
    plain: PlainHandler | None = None
    """It is given plain GETs, which have come past aiohttp too."""


class HTTPListener:
    """Routes, served on any number of sockets."""

    def __init__(
        self, routes: Iterable[web.RouteDef | Below], limits: HTTPLimits | None = None, proxies: Proxies = ()
    ) -> None:
        """`proxies` are the networks of reverse proxies, from which any number of connections may come."""
        self._limits = limits or HTTPLimits()
        share = max(1, int(self._limits.connections * self._limits.source_share))
        self._places = Places(share, proxies, self._close_idlest)
        application = web.Application(client_max_size=self._limits.body_bytes)
        routes = list(routes)
        self._below = [route for route in routes if isinstance(route, Below)]
        self._plain = [(route.prefix, route.plain) for route in self._below if route.plain is not None]
        self._fronts: set[Front] = set()
        application.add_routes(
            web.get(f"{route.prefix}{{below:.*}}", route.handler) if isinstance(route, Below) else route
            for route in routes
        )
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_aiohttp_logger,
            auto_decompress=False,  # what is no gzip is a traceback of aiohttp's, and a little that is, is a lot
            keepalive_timeout=self._limits.keepalive_seconds,
            shutdown_timeout=self._limits.shutdown_seconds,
        )
        self._acceptor = Acceptor(self._limits.head_seconds, WRITE_SECONDS)  # what waits is sent in that time, too
        self._leaving: deque[Front] = deque()
        """Those that made room last. Over TLS they wait for the peer's goodbye, which may not come."""
        self._heard: set[object] = set()
        """Connections that have sent a request."""
        self._silent_since: dict[object, float] = {}
        self._handed_over: dict[asyncio.Transport, float | None] = {}
        """Connections without TLS, which has a clock for its end, that are aiohttp's; since when they are closing."""
        self._unread_since: dict[web.RequestHandler, float] = {}
        """Connections of aiohttp's whose peers had something left to read whenever they were looked at."""
        self._sweeper: asyncio.TimerHandle | None = None
        self._full = False

    async def listen(
        self, host: str, port: int, context: Callable[[], ssl.SSLContext] | None = None
    ) -> tuple[str, int]:
        """Bind an IP address; the address and port that were bound (port 0: the kernel's choice).

        With a `context` HTTPS is spoken; it is asked for each connection, so a new certificate holds from the next one
        on. Raises OSError.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port))
        except BaseException:
            sock.close()
            raise
        await self.listen_on(sock, context)
        name, number = sock.getsockname()[:2]
        return name, number

    async def listen_on(self, sock: socket.socket, context: Callable[[], ssl.SSLContext] | None = None) -> None:
        """Serve a bound stream socket, TCP, TLS or Unix, which is the listener's from here on."""
        loop = asyncio.get_running_loop()
        if self._runner.server is None:
            await self._set_up()
            self._sweeper = loop.call_later(self._limits.head_seconds / 2, self._sweep)
        sock.setblocking(False)
        self._acceptor.accept_on(sock, self._connection, context)

    async def close(self) -> None:
        """Let requests under way finish for a moment, then close everything."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for front in list(self._fronts):
            front.close()
        await self._acceptor.close()
        await self._runner.cleanup()
        for front in list(self._fronts):  # those that were accepted meanwhile
            front.close()

    async def _set_up(self) -> None:
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        self._route, server.request_handler = server.request_handler, self._handle

    def _connection(self, peer: str | None) -> Front | None:
        """For one more connection with `peer`, None of a Unix socket; None when it is one too many."""
        server = self._runner.server
        if server is None:
            return None
        is_full = len(server.connections) + len(self._fronts) >= self._limits.connections
        if not is_full or self._close_idlest():
            if not self._places.take(peer):
                return None
            loop = asyncio.get_running_loop()
            return Front(self._plain, self._succeed, self._fronts, self._places, loop, peer)
        if not self._full:
            self._full = True
            logger.warning("http connections refused at=%d", self._limits.connections)
        return None

    def _close_idlest(self, source: str | None = None) -> bool:
        """Close what somebody, or this source, keeps longest for what may come; whether there was such a connection.

        A crowd that comes at once, as all phones of an office do after a commit, needs each for one file.
        """
        resting = [front for front in self._fronts if (source is None or front.source == source) and front.rests]
        if not resting:
            return False
        idlest = min(resting, key=lambda front: front.waits_since)
        idlest.make_room()
        self._leaving.append(idlest)
        if len(self._leaving) > LEAVING:
            self._leaving.popleft().abort()
        return True

    def _succeed(self, front: Front, transport: asyncio.Transport) -> web.RequestHandler | None:
        """aiohttp's, for a connection on which something came that is not plain; its time is what is left of it.

        None when the listener is closed.
        """
        server = self._runner.server
        if server is None:
            return None
        connection = server()
        if not front.is_secure:
            if len(self._handed_over) > 2 * self._limits.connections:
                self._end_closing()
            self._handed_over[transport] = None
        if front.has_asked:
            self._heard.add(connection)
        else:
            self._silent_since[connection] = front.waits_since
        return connection

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if len(self._heard) > 2 * self._limits.connections:
            self._forget_closed()
        self._heard.add(request.protocol)
        try:
            if request.headers.get(hdrs.EXPECT, _CONTINUE).lower() != _CONTINUE:
                return web.Response(status=417)  # aiohttp's own answer repeats what was expected, if it can
            return await self._handler_of(request)(request)
        except ConnectionError as error:
            if request.transport is not None and not request.transport.is_closing():
                raise
            error.__traceback__ = None  # it holds the connection, and all that waits on it, until garbage is collected
            return web.Response(status=500)  # to nobody: he has gone, which is no error of ours
        finally:
            # What was sent and not read would stay until garbage is collected: a gigabyte, of one who hurries.
            if request.content.exception() is None:
                request.content.read_nowait(-1)

    def _handler_of(self, request: web.BaseRequest) -> RequestHandler:
        """What answers it: the router knows, which costs 10 µs, where a prefix does not say so (bench_http.py)."""
        if request.method in _READING and hdrs.EXPECT not in request.headers:
            for route in self._below:
                if request.raw_path.startswith(route.prefix):
                    return route.handler
        return self._route

    def _forget_closed(self) -> list[web.RequestHandler]:
        """The connections that are open; those that are not are heard of no more."""
        server = self._runner.server
        connections = server.connections if server is not None else []
        self._heard.intersection_update(connections)
        return connections

    def _sweep(self) -> None:
        """Close connections that have not sent one request head in time."""
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(self._limits.head_seconds / 2, self._sweep)
        for front in list(self._fronts):
            front.end_if_late(loop.time(), self._limits.head_seconds / 2, self._limits.keepalive_seconds)
        connections = self._forget_closed()
        silent = [connection for connection in connections if connection not in self._heard]
        self._silent_since = {connection: self._silent_since.get(connection, loop.time()) for connection in silent}
        for connection in silent:
            # Seen first by the sweep before: it has been silent for half the time at least, and now for all of it.
            transport = connection.transport
            late = loop.time() - self._silent_since[connection] >= self._limits.head_seconds / 2
            if late and transport is not None and not transport.is_closing():
                transport.abort()
        self._end_closing()
        self._end_unread(connections)
        self._places.look_who_is_full()
        if len(connections) + len(self._fronts) < self._limits.connections:
            self._full = False

    def _end_closing(self) -> None:
        """End connections that were closed long ago and whose peers do not read what they were sent last."""
        now = asyncio.get_running_loop().time()
        for transport, since in list(self._handed_over.items()):
            if not transport.is_closing():
                continue
            if not transport.get_write_buffer_size():
                del self._handed_over[transport]  # it has gone
            elif since is None:
                self._handed_over[transport] = now
            elif now - since >= self._limits.keepalive_seconds:
                transport.abort()

    def _end_unread(self, connections: Iterable[web.RequestHandler]) -> None:
        """End connections whose peers ask and do not read: whatever is asked, aiohttp waits for them for ever."""
        now = asyncio.get_running_loop().time()
        unread = [connection for connection in connections if _is_unread(connection.transport)]
        self._unread_since = {connection: self._unread_since.get(connection, now) for connection in unread}
        for connection, since in self._unread_since.items():
            if now - since >= self._limits.keepalive_seconds and connection.transport is not None:
                connection.transport.abort()


def _is_unread(transport: asyncio.Transport | None) -> bool:
    return transport is not None and not transport.is_closing() and transport.get_write_buffer_size() > 0
