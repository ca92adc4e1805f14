"""The phone's path to its server: UDP, TCP, TLS, or WebSocket (RFC 7118)."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp

from gitops_profile.sip import host_port
from gitops_profile.sip.syntax import MessageReader

TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
SECURE = frozenset({"tls", "wss"})
CONNECT = 5.0
"""Seconds, the handshakes of TLS and WebSocket included."""
MAX_MESSAGE = 16 << 20


class PhoneError(Exception):
    """The server cannot be reached, or does not answer; the message says what to do."""


class Line(Protocol):
    """An open path to the server."""

    local: tuple[str, int]
    """Our own address on it."""

    def send(self, data: bytes) -> None:
        """Send one message, if the path is still there."""

    def messages(self) -> AsyncIterator[bytes]:
        """What comes, message by message, until the server closes."""


def server_context(ca: Path | None = None, *, insecure: bool = False) -> ssl.SSLContext:
    """For TLS to a server whose certificate is signed by a CA of the system, or of `ca`; `insecure` takes any.

    Raises PhoneError when `ca` cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        raise PhoneError(f"--ca {ca} cannot be used: {error.strerror or error}") from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@asynccontextmanager
async def open_line(transport: str, server: tuple[str, int], context: ssl.SSLContext | None) -> AsyncIterator[Line]:
    """A line to `server`, closed at the end. `context` is for TLS, by default one that checks. Raises PhoneError."""
    if transport in SECURE and context is None:
        context = server_context()
    opened: _DatagramLine | _StreamLine | _WebSocketLine
    try:
        async with asyncio.timeout(CONNECT):
            match transport:
                case "udp":
                    opened = await _DatagramLine.open(server)
                case "tcp" | "tls":
                    opened = await _StreamLine.open(server, context if transport == "tls" else None)
                case _:
                    opened = await _WebSocketLine.open(f"{transport}://{host_port(server)}/", context)
    except (OSError, aiohttp.ClientError) as error:
        raise PhoneError(_why(transport, server, error)) from error
    try:
        yield opened
    finally:
        await opened.close()


def _why(transport: str, server: tuple[str, int], error: Exception) -> str:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    where = f"{host_port(server)} over {transport}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {where} is not trusted: {cause.verify_message}; name its CA with --ca, or --insecure"
        )
    if isinstance(cause, aiohttp.WSServerHandshakeError):
        return f"{where} answers the WebSocket handshake with {cause.status}: is that a SIP WebSocket listener?"
    return f"cannot reach {where}: {str(cause) or type(cause).__name__}"


class _DatagramLine:
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.local: tuple[str, int] = sock.getsockname()[:2]

    @classmethod
    async def open(cls, server: tuple[str, int]) -> "_DatagramLine":
        sock = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, server)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    def send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except (ConnectionError, BlockingIOError):
            return  # nobody listens there (ICMP): the SUBSCRIBE is repeated, and `subscribe` says so in the end

    async def messages(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while True:
            try:
                yield await loop.sock_recv(self._socket, 1 << 17)
            except ConnectionError:
                continue  # an ICMP answer to an earlier datagram

    async def close(self) -> None:
        self._socket.close()


class _StreamLine:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.local: tuple[str, int] = writer.get_extra_info("sockname")[:2]

    @classmethod
    async def open(cls, server: tuple[str, int], context: ssl.SSLContext | None) -> "_StreamLine":
        return cls(*await asyncio.open_connection(*server, ssl=context))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def messages(self) -> AsyncIterator[bytes]:
        framing = MessageReader(MAX_MESSAGE)
        while True:
            try:
                data = await self._reader.read(1 << 17)
            except ConnectionError:
                return
            if not data:
                return
            for message in framing.feed(data)[0]:
                yield message

    async def close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(CONNECT):
                await self._writer.wait_closed()
        except OSError:
            return  # the server was the first


class _WebSocketLine:
    """aiohttp's client; it answers Pings by itself."""

    def __init__(self, session: aiohttp.ClientSession, frames: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._frames = frames
        self.local: tuple[str, int] = frames.get_extra_info("sockname")[:2]
        self._sending: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, url: str, context: ssl.SSLContext | None) -> "_WebSocketLine":
        session = aiohttp.ClientSession()
        try:
            frames = await session.ws_connect(
                url, protocols=("sip",), ssl=True if context is None else context, max_msg_size=MAX_MESSAGE
            )
        except BaseException:
            await session.close()
            raise
        return cls(session, frames)

    def send(self, data: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._send(data))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, data: bytes) -> None:
        try:
            await self._frames.send_bytes(data)
        except ConnectionError:
            return  # `messages` ends too

    async def messages(self) -> AsyncIterator[bytes]:
        async for frame in self._frames:
            data = frame.data.encode() if isinstance(frame.data, str) else frame.data
            if isinstance(data, bytes) and data.strip(b"\r\n"):
                yield data

    async def close(self) -> None:
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._frames.close()
        await self._session.close()
