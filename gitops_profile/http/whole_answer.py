"""A document as an answer, in one write: aiohttp's own way costs 15 µs of CPU more (uvloop; bench_http.py)."""

import asyncio
import re
import time
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11

WRITE_SECONDS = 30.0
"""For a whole answer to leave: a slow reader holds a connection no longer."""
UNHURRIED = 16 << 10
"""Bytes that may wait for a reader while nobody waits for him: asyncio's own low-water mark."""
CLOSE = ("Connection", "close")
"""The header of an answer behind which the connection ends (RFC 9112 §9.6)."""
_REFUSED = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""What may stand in no header (RFC 9110 §5.5): aiohttp refuses the same."""


class WholeAnswer:
    """Any answer whose body is known, and a 304 without one: written any number of times."""

    __slots__ = ("_fields", "_start", "body", "is_last", "status")

    def __init__(self, status: int, fields: Sequence[tuple[str, str]], body: bytes = b"") -> None:
        """`fields` are headers; Content-Length, Date and Server are added."""
        self.status = status
        self.body = body
        self.is_last = CLOSE in fields
        """Whether whoever writes it has to close the connection then."""
        self._fields = fields
        length = [("Content-Length", str(len(body)))] if status != 304 else []
        lines = [f"{name}: {value}\r\n" for name, value in (*fields, *length)]
        is_plain = not any(_REFUSED.search(value) for _, value in fields)
        first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        self._start = "".join([first, *lines]).encode() if is_plain else None

    def write(self, transport: asyncio.WriteTransport, *, bodiless: bool = False) -> None:
        """Write it to a client of HTTP/1.1 whose connection goes on, but for `is_last`; `bodiless` for a HEAD.

        Raises ValueError for a header with something in it that no header can have.
        """
        if self._start is None:
            raise ValueError("a header cannot be written")
        body = b"" if bodiless else self.body
        transport.write(b"%b%b%b" % (self._start, _end_of_head(int(time.time())), body))

    def response(self) -> web.Response:
        """The same as aiohttp's, which may be written once."""
        body = self.body if self.status != 304 else None
        response = web.Response(status=self.status, headers=self._fields, body=body)
        if self.is_last:
            response.force_close()
        return response

    async def send(self, request: web.BaseRequest, seconds: float) -> web.StreamResponse:
        """Write it in time; what a handler returns. Raises ConnectionError, and ends the connection of a slow reader.

        A client of HTTP/1.0, or one that wants no further answer, has other headers: aiohttp knows them.
        """
        if self.is_last or self._start is None or request.version != HttpVersion11 or not request.keep_alive:
            response = self.response()
            await send_response(request, response, seconds)
            return response
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self.write(transport, bodiless=request.method == "HEAD")
        if transport.get_write_buffer_size() > UNHURRIED:
            await _drain(request, seconds)
        return _WRITTEN


async def send_response(request: web.BaseRequest, response: web.StreamResponse, seconds: float) -> None:
    """Write any answer here, in time; raises ConnectionError, and ends the connection of a slow reader."""
    try:
        async with asyncio.timeout(seconds):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError as error:
        raise _cut_off(request) from error


async def _drain(request: web.BaseRequest, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await request.writer.drain()
    except TimeoutError as error:
        raise _cut_off(request) from error


def _cut_off(request: web.BaseRequest) -> ConnectionResetError:
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("the client reads too slowly")


class _Written(web.StreamResponse):
    """Stands for an answer that was written already, on a connection that goes on."""

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


_WRITTEN = _Written()
"""It holds nothing of a request: one is enough for all."""
_end: tuple[int, bytes] = (0, b"")


def _end_of_head(now: int) -> bytes:
    """Date and Server, made once a second."""
    global _end
    if _end[0] != now:
        _end = (now, f"Date: {formatdate(now, usegmt=True)}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n".encode())
    return _end[1]
