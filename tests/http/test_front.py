"""Connections on which only plain GETs come, and what becomes of them when something else does; on real sockets."""

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from gitops_profile.http import HTTPLimits, HTTPListener, Way
from gitops_profile.http.listener import Below
from gitops_profile.http.plain_get import PlainGet
from gitops_profile.http.whole_answer import WholeAnswer
from gitops_profile.transport import Certificates
from tests.transport.authority import Authority, Issued

from .device_site import DESK, DeviceSite, body
from .site import DOMAIN
from .test_accept import trusting

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
TEXT = ("Content-Type", "text/plain")


class Site:
    """Answers who answered: `plain`, or `aiohttp`."""

    def __init__(self, limits: HTTPLimits | None = None) -> None:
        self.read: list[str] = []
        self.large = b"x" * (4 << 20)
        self.listener = HTTPListener([Below("/p/", self._get, self._plain), web.get("/other", self._get)], limits)

    async def _get(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path == "/p/medium":
            return await WholeAnswer(200, [TEXT], self.large[:15_000]).send(request, 0.2)
        if request.raw_path == "/p/large":
            return web.Response(body=self.large[: 1 << 19])
        return web.Response(text="aiohttp")

    def _plain(self, request: PlainGet) -> None:
        if request.raw_path == "/p/broken":
            raise RuntimeError("broken")
        bodies = {"/p/medium": self.large[:15_000], "/p/large": self.large}
        WholeAnswer(200, [TEXT], bodies.get(request.raw_path, b"plain")).write(request.transport)
        request.when_read(lambda: self.read.append(request.raw_path), 0.2)


@asynccontextmanager
async def listening(limits: HTTPLimits | None = None) -> AsyncIterator[tuple[Site, tuple[str, int]]]:
    site = Site(limits)
    try:
        yield site, await site.listener.listen("127.0.0.1", 0)
    finally:
        await site.listener.close()


async def answer(connection: Connection, text: str) -> tuple[bytes, bytes]:
    """One answer's head without its Date, and its body; there is none without a length."""
    reader, writer = connection
    writer.write(text.encode())
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: ([0-9]+)", head)
        body = await reader.readexactly(int(length[1])) if length is not None else b""
    return re.sub(rb"\r\nDate: [^\r]+", b"", head), body


async def ask(connection: Connection, text: str) -> bytes:
    """One answer's body."""
    head, body = await answer(connection, text)
    assert b"Content-Length: " in head
    return body


async def once(address: tuple[str, int]) -> bytes:
    """One answer's body, on a connection of its own; empty when that is closed instead."""
    connection = await asyncio.open_connection(*address)
    try:
        return await ask(connection, get())
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    finally:
        connection[1].close()


def get(path: str = "/p/x", *lines: str) -> str:
    return "".join(f"{line}\r\n" for line in [f"GET {path} HTTP/1.1", "Host: x", *lines, ""])


async def test_plain_gets_follow_one_another_on_a_connection() -> None:
    async with listening() as (site, address):
        connection = await asyncio.open_connection(*address)
        assert [await ask(connection, get(f"/p/{n}")) for n in range(3)] == [b"plain"] * 3
        assert site.read == ["/p/0", "/p/1", "/p/2"]
        connection[1].close()


@pytest.mark.parametrize(
    "text", [get("/other"), get("/p/x", "Content-Length: 0"), get().replace("GET", "HEAD"), get() + get()]
)
async def test_what_is_not_plain_is_answered_by_aiohttp_and_so_is_all_that_follows(text: str) -> None:
    async with listening() as (_, address):
        connection = await asyncio.open_connection(*address)
        assert await ask(connection, get()) == b"plain"
        if text.startswith("HEAD"):
            connection[1].write(text.encode())
            await connection[0].readuntil(b"\r\n\r\n")
        else:
            for _ in range(text.count("GET ")):
                assert await ask(connection, text) == b"aiohttp"
                text = ""
        assert await ask(connection, get()) == b"aiohttp"
        connection[1].close()


async def test_a_get_in_pieces_is_answered() -> None:
    async with listening() as (_, address):
        connection = await asyncio.open_connection(*address)
        for part in (get()[:9], get()[9:-1]):
            connection[1].write(part.encode())
            await asyncio.sleep(0.05)  # else they may come as one
        assert await ask(connection, get()[-1:]) == b"aiohttp"
        connection[1].close()


async def test_a_request_that_breaks_something_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as (_, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(get("/p/broken").encode())
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 500 ") and answer.endswith(b"500\n")
        assert [record.levelno for record in caplog.records if "could not be handled" in record.message] == [
            logging.ERROR
        ]
        writer.close()
        assert await once(address) == b"plain"


async def test_who_reads_slowly_is_cut_off_and_has_not_read() -> None:
    async with listening() as (site, address):
        reader, writer = await asyncio.open_connection(*address, limit=1024)
        writer.write(get("/p/large").encode())
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            assert len(await reader.read()) < len(site.large)
        assert site.read == []
        writer.close()


@pytest.mark.parametrize("lines", [(), ("Connection: keep-alive",), ("Connection: close",)], ids=str)
async def test_who_never_reads_what_little_is_left_loses_his_connection(lines: tuple[str, ...]) -> None:
    """It stayed open for ever, closed as it was: a thousand of them are all that the listener takes."""
    site = Site(HTTPLimits(head_seconds=0.2, keepalive_seconds=0.3))
    sock, client = socket.socket(), socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        sock.bind(("127.0.0.1", 0))
        address = sock.getsockname()
        await site.listener.listen_on(sock)
        await loop.sock_connect(client, address)
        await loop.sock_sendall(client, get("/p/medium", *lines).encode())
        server = site.listener._runner.server
        assert server is not None
        received = 0
        async with asyncio.timeout(20):
            while not site.listener._fronts and not server.connections:  # noqa: ASYNC110
                await asyncio.sleep(0)  # until it is accepted
            while site.listener._fronts or server.connections:  # noqa: ASYNC110  # he reads nothing meanwhile
                await asyncio.sleep(0.05)
            try:
                while data := await loop.sock_recv(client, 1 << 16):
                    received += len(data)
            except ConnectionResetError:
                received = min(received, 14_999)  # what was on its way is lost with it
        assert received < 15_000
    finally:
        client.close()
        await site.listener.close()


async def test_a_tls_client_gets_all_of_an_answer_that_is_the_last(tmp_path: Path) -> None:
    """What had not left two seconds after the answer was made was cut off, and counted as fetched."""
    authority = Authority(tmp_path)
    issued = authority.issue("web", "IP:127.0.0.1")
    certificates = Certificates(issued.certificate, issued.key)
    site, sock = Site(HTTPLimits(shutdown_seconds=0.2)), socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        sock.bind(("127.0.0.1", 0))
        address = sock.getsockname()
        await site.listener.listen_on(sock, certificates.server)
        trusting = ssl.create_default_context(cafile=authority.certificate)
        reader, writer = await asyncio.open_connection(*address, ssl=trusting, limit=1024)
        writer.write(get("/p/large", "Connection: close").encode())
        await asyncio.sleep(1.0)
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ") and len(await reader.read()) == 1 << 19
        writer.close()
    finally:
        await site.listener.close()


async def test_an_expectation_that_nobody_knows_is_417(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 9110 §10.1.1. Bytes that are no ASCII were a traceback."""
    async with listening() as (_, address):
        for value in ("x", "\xe9"):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(get("/p/x", f"Expect: {value}").encode("latin-1"))
            async with asyncio.timeout(5):
                assert (await reader.readline()).startswith(b"HTTP/1.1 417 ")
            writer.close()
    assert caplog.records == []


async def test_a_connection_that_is_accepted_as_the_listener_closes_is_closed() -> None:
    site = Site()
    address = await site.listener.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*address)
    assert await ask((reader, writer), get()) == b"plain"
    front = next(iter(site.listener._fronts))
    await site.listener.close()
    assert site.listener._connection(None) is None
    front.data_received(get("/other").encode())  # as if it had come in that moment
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_who_reads_all_has_read() -> None:
    async with listening() as (site, address):
        connection = await asyncio.open_connection(*address)
        assert await ask(connection, get("/p/large")) == site.large
        assert await ask(connection, get()) == b"plain"
        assert site.read == ["/p/large", "/p/x"]
        connection[1].close()


@pytest.mark.parametrize("asked", [False, True])
async def test_who_keeps_a_connection_for_nothing_loses_it(asked: bool) -> None:
    limits = HTTPLimits(head_seconds=0.2 if not asked else 0.4, keepalive_seconds=60.0 if not asked else 0.3)
    async with listening(limits) as (_, address):
        reader, writer = connection = await asyncio.open_connection(*address)
        if asked:
            assert await ask(connection, get()) == b"plain"
        async with asyncio.timeout(5):
            try:
                assert await reader.read() == b""
            except ConnectionResetError:
                assert not asked  # who has sent nothing is told nothing
        writer.close()


async def test_connections_on_which_nothing_but_plain_gets_may_come_are_counted() -> None:
    async with listening(HTTPLimits(connections=2, source_share=1.0)) as (_, address):
        connections = [await asyncio.open_connection(*address) for _ in range(2)]
        assert await once(address) == b""  # one too many
        for _, writer in connections:
            writer.close()
        for _ in range(500):
            if await once(address) == b"plain":
                return
            await asyncio.sleep(0.01)  # the other end has not heard of it yet
        pytest.fail("the places of those who have gone are not given to others")


async def test_a_document_asked_for_plainly_is_the_one_that_aiohttp_gives() -> None:
    site = await DeviceSite().start()
    try:
        address = site.root.split("/")[2].rpartition(":")
        both = []
        for lines in ((), ("Content-Length: 0",)):
            connection = await asyncio.open_connection(address[0], int(address[2]))
            paths = [f"/p/{DOMAIN}/{device}.xml" for device in (DESK, "0004132affff")]
            both += [await answer(connection, get(path, *lines)) for path in paths]
            connection[1].close()
    finally:
        await site.listener.close()
    assert both[:2] == both[2:]
    assert both[0][1] == body(DESK) and both[1][0].startswith(b"HTTP/1.1 404")
    assert len(site.seen) == 4


async def test_a_document_asked_for_as_of_a_proxy_is_the_same() -> None:
    """RFC 9112 §3.2.2."""
    site = await DeviceSite().start()
    try:
        host, _, port = site.root.split("/")[2].rpartition(":")
        connection = await asyncio.open_connection(host, int(port))
        assert await ask(connection, get(f"http://x/p/{DOMAIN}/{DESK}.xml")) == body(DESK)
        connection[1].close()
    finally:
        await site.listener.close()


@pytest.mark.parametrize("version, says", [("1.1", b"HTTP/1.1 100 Continue"), ("1.0", b"HTTP/1.0 204 No Content")])
async def test_who_speaks_an_older_http_is_not_told_to_go_on(version: str, says: bytes) -> None:
    """RFC 9110 §10.1.1."""
    site = await DeviceSite().start()
    try:
        host, _, port = site.root.split("/")[2].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = ["Host: x", "Content-Length: 1", "Expect: 100-continue"]
        lines = [f"PUT /p/{DOMAIN}/{DESK}-app.log HTTP/{version}", *head, "", "x"]
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(5):
            assert (await reader.readline()).strip() == says
        writer.close()
    finally:
        await site.listener.close()


async def test_a_realm_with_any_space_in_it_is_asked_for_plainly_too() -> None:
    site = await DeviceSite(ways=[Way.DIGEST], realm="B\u00fcro\u00a0\t1").start()
    try:
        host, _, port = site.root.split("/")[2].rpartition(":")
        heads = []
        for lines in ((), ("Content-Length: 0",)):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(get(f"/p/{DOMAIN}/{DESK}.xml", *lines).encode())
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.close()
    finally:
        await site.listener.close()
    for head in heads:
        assert head.startswith(b"HTTP/1.1 401 ") and 'realm="B\u00fcro\u00a0\t1"'.encode() in head


@pytest.mark.parametrize("lines", [(), ("Content-Length: 0",)], ids=["plain", "aiohttp"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_who_is_not_listened_to_keeps_no_connection(lines: tuple[str, ...], secure: bool, issued: Issued) -> None:
    """He held all of them for ever by asking again now and then."""
    context = Certificates(issued.certificate, issued.key).server() if secure else None
    site = await DeviceSite(ways=[Way.LINK], misses=1, context=context).start()
    try:
        host, _, port = site.root.split("/")[2].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting() if secure else None)
        writer.write(get(f"/p/{DOMAIN}/0004132a0001.xml", *lines).encode())
        assert (await reader.readuntil(b"document here.\n")).startswith(b"HTTP/1.1 404 ")
        writer.write(get(f"/p/{DOMAIN}/0004132a0002.xml", *lines).encode())
        assert (await reader.readuntil(b"document here.\n")).startswith(b"HTTP/1.1 404 ")
        writer.write(get(f"/p/{DOMAIN}/{DESK}.xml", *lines).encode())
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
    finally:
        await site.listener.close()
    assert answer.startswith(b"HTTP/1.1 429 ") and answer.count(b"HTTP/1.1") == 1
    assert answer.count(b"Connection: close\r\n") == 1
    assert [seen.status for seen in site.seen] == [404, 404, 429]
