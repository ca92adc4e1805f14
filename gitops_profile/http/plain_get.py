"""The GET of nearly every phone, read by one expression: aiohttp takes 20 µs for what this does in 4 (bench_http.py).

Whatever is not exactly of this form is no error: aiohttp reads it, and what is read here is what that would have found
(tests/http/test_plain_get.py).
"""

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

from multidict import CIMultiDict, CIMultiDictProxy

MAX_LENGTH = 4000
"""Bytes; longer ones are rare, and looked at with care."""
MAX_FIELDS = 100
"""Fewer than aiohttp takes."""
# What has a body, ends the connection or wants something of it is not plain, nor what may be there once only.
_HEAD = re.compile(
    rb"GET (/[A-Za-z0-9/._~%\-?=&+:@!$'()*,;]*+) HTTP/1\.1\r\n"
    rb"((?:(?!(?i:connection|proxy-connection|keep-alive|content-[a-z]+|transfer-encoding|te|trailer|upgrade|expect|"
    rb"sec-websocket-[a-z0-9]+|etag|max-forwards|server|x-http-method-override):)"
    rb"[A-Za-z0-9\-]++: ?+[!-~](?:[ -~]*[!-~])?+\r\n)++)\r\n"
)


class Asking(Protocol):
    """A request, as far as those look at it who decide what it is given."""

    @property
    def method(self) -> str:
        """GET and its kin."""

    @property
    def raw_path(self) -> str:
        """The request target as it came."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """In any case, in their order."""

    @property
    def remote(self) -> str | None:
        """The peer's address."""

    @property
    def secure(self) -> bool:
        """Whether the peer speaks TLS with us."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """The connection; None when it has gone."""


class PlainGet:
    """A GET with no body, of HTTP/1.1, behind which the connection goes on."""

    __slots__ = ("headers", "raw_path", "remote", "secure", "transport", "when_read")
    method = "GET"

    def __init__(
        self,
        raw_path: str,
        headers: CIMultiDictProxy[str],
        transport: asyncio.Transport,
        remote: str | None,
        when_read: Callable[[Callable[[], None], float], None],
        *,
        secure: bool,
    ) -> None:
        """`when_read(then, seconds)` has `then` called when the peer has read what was written; so long it has time."""
        self.raw_path = raw_path
        self.headers = headers
        self.transport = transport
        self.remote = remote
        self.when_read = when_read
        self.secure = secure


def read_plain_get(data: bytes) -> tuple[str, CIMultiDictProxy[str]] | None:
    """Request target and headers when `data` is one such GET and nothing more; None for anything else."""
    if len(data) > MAX_LENGTH:
        return None
    match = _HEAD.fullmatch(data)
    if match is None:
        return None
    headers: CIMultiDict[str] = CIMultiDict()
    lines = match[2].decode("ascii")[:-2].split("\r\n")
    if len(lines) > MAX_FIELDS:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        headers.add(name, value.lstrip(" "))
    if len(headers.getall("Host", ())) != 1 or len(headers.getall("User-Agent", ())) > 1:
        return None
    return match[1].decode("ascii"), CIMultiDictProxy(headers)
