"""Bounds of the HTTP listener, against real sockets: each is answered, none is grown past."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from gitops_profile.http import HTTPLimits, HTTPListener
from gitops_profile.transport import Certificates
from tests.transport.authority import Issued

from .test_accept import trusting

GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

Address = tuple[str, int]


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def size(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


@asynccontextmanager
async def listening(limits: HTTPLimits | None = None, host: str = "127.0.0.1") -> AsyncIterator[Address]:
    listener = HTTPListener([web.get("/hello", hello), web.post("/size", size)], limits)
    try:
        yield await listener.listen(host, 0)
    finally:
        await listener.close()


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()


async def exchange(address: Address, request: bytes) -> bytes:
    """The status line."""
    async with connected(address) as (reader, writer):
        writer.write(request)
        return (await reader.readline()).strip()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_it_serves_on_both_families(host: str) -> None:
    async with listening(host=host) as address:
        assert address[0] == host
        assert await exchange(address, GET) == b"HTTP/1.1 200 OK"


async def test_it_serves_on_several_addresses() -> None:
    listener = HTTPListener([web.get("/hello", hello)])
    addresses = [await listener.listen("127.0.0.1", 0), await listener.listen("127.0.0.2", 0)]
    answers = [await exchange(address, GET) for address in addresses]
    await listener.close()
    assert answers == [b"HTTP/1.1 200 OK"] * 2


async def test_a_taken_address_is_refused() -> None:
    async with listening() as (host, port):
        other = HTTPListener([])
        with pytest.raises(OSError, match="Address already in use"):
            await other.listen(host, port)
        await other.close()


async def test_nothing_is_served_after_close() -> None:
    async with listening() as address:
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_a_body_too_large_is_answered_413() -> None:
    async with listening(HTTPLimits(body_bytes=10)) as address:
        request = b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n12345678901"
        assert (await exchange(address, request)).startswith(b"HTTP/1.1 413 ")  # the words differ between Pythons


@pytest.mark.parametrize(
    "request_bytes",
    [
        GET[:-2] + b"Authorization: " + b"secret" * 5000 + b"\r\n\r\n",
        GET[:-2] + b"Authorization secret\r\n\r\n",
        b"secret\r\n\r\n",
    ],
    ids=["header too large", "no header", "no request"],
)
async def test_what_is_no_http_is_answered_400_and_not_quoted_in_the_log(
    request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as address:
        assert await exchange(address, request_bytes) == b"HTTP/1.0 400 Bad Request"
    assert "secret" not in caplog.text


async def test_a_bug_in_a_handler_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(request: web.Request) -> web.Response:
        raise KeyError("a bug")

    listener = HTTPListener([web.get("/hello", broken)])
    address = await listener.listen("127.0.0.1", 0)
    assert await exchange(address, GET) == b"HTTP/1.1 500 Internal Server Error"
    await listener.close()
    assert "a bug" in caplog.text


async def test_a_connection_too_many_is_closed_with_one_warning_and_a_place_comes_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with listening(HTTPLimits(connections=2, source_share=1.0)) as address:
        async with connected(address) as one, connected(address) as two:
            for reader, writer in (one, two):
                writer.write(GET)
                assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            for _ in range(3):
                async with connected(address) as (reader, _writer):
                    assert await reader.read() == b""
            two[1].write_eof()
            await two[0].read()
        assert caplog.text.count("http connections refused at=2") == 1
        assert await exchange(address, GET) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("sent", [b"", b"GET /hel", GET[:-2]])
async def test_a_connection_that_does_not_ask_in_time_is_closed(sent: bytes) -> None:
    async with listening(HTTPLimits(head_seconds=0.1)) as address, connected(address) as (reader, writer):
        writer.write(sent)
        assert await reader.read() == b""


async def test_a_connection_that_has_asked_stays_for_the_next_request() -> None:
    async with (
        listening(HTTPLimits(head_seconds=0.5)) as address,
        connected(address) as (patient, patient_writer),
        connected(address) as (silent, _silent_writer),
    ):
        patient_writer.write(GET)
        await patient.readuntil(b"hello")
        assert await silent.read() == b""  # by now a sweep has gone over both
        patient_writer.write(GET)
        assert await patient.readline() == b"HTTP/1.1 200 OK\r\n"


async def test_a_connection_kept_alive_for_nothing_is_closed() -> None:
    async with listening(HTTPLimits(keepalive_seconds=0.05)) as address, connected(address) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"hello")
        assert await reader.read() == b""


async def test_close_lets_a_request_under_way_finish() -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        started.set()
        await go.wait()
        return web.Response(text="done")

    listener = HTTPListener([web.get("/hello", slow)])
    address = await listener.listen("127.0.0.1", 0)
    answer = asyncio.ensure_future(exchange(address, GET))
    await started.wait()
    closing = asyncio.ensure_future(listener.close())
    go.set()
    await closing
    assert await answer == b"HTTP/1.1 200 OK"


async def test_requests_of_closed_connections_are_forgotten() -> None:
    listener = HTTPListener([web.get("/hello", hello)], HTTPLimits(connections=3, source_share=1.0))
    address = await listener.listen("127.0.0.1", 0)
    for _ in range(30):
        async with connected(address) as (reader, writer):
            writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            await reader.read()
    assert len(listener._heard) <= 7
    await listener.close()


async def test_a_unix_socket_is_served_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "s"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    listener = HTTPListener([web.get("/hello", hello)])
    await listener.listen_on(sock)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(GET)
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.close()
    await listener.close()


async def test_a_unix_socket_may_have_been_bound_to_a_name_of_the_moment(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(f"/proc/self/fd/{folder}/s")
    (tmp_path / "file").touch()
    file = os.open(tmp_path / "file", os.O_RDONLY)
    os.dup2(file, folder)  # the number is another's now
    os.close(file)
    listener = HTTPListener([web.get("/hello", hello)])
    await listener.listen_on(sock)
    await listener.close()
    os.close(folder)
    assert (tmp_path / "s").is_socket()  # its owner removes it


@pytest.mark.parametrize("line", [b"GET /hello", b"POST /size", b"PUT /hello"])
async def test_a_body_that_is_not_packed_as_it_says_ends_in_no_traceback(
    line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as address, connected(address) as (reader, writer):
        head = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"
        writer.write(line + head + b"abc")
        assert (await reader.read()).startswith(b"HTTP/1.1 ")
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


async def test_who_goes_away_before_his_answer_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    gone = asyncio.Event()

    async def late(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        gone.set()
        raise ConnectionResetError("Cannot write to closing transport")

    listener = HTTPListener([web.get("/hello", late)])
    address = await listener.listen("127.0.0.1", 0)
    async with connected(address) as (_, writer):
        writer.write(GET)
        await gone.wait()
        await asyncio.sleep(0.05)
    await listener.close()
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


async def test_what_was_sent_and_not_read_is_not_kept() -> None:
    kept: list[web.Request] = []

    async def refusing(request: web.Request) -> web.Response:
        kept.append(request)
        return web.Response(status=404)

    listener = HTTPListener([web.put("/hello", refusing)])
    address = await listener.listen("127.0.0.1", 0)
    body = b"x" * 60_000
    head = b"PUT /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n"
    assert await exchange(address, head + body) == b"HTTP/1.1 404 Not Found"
    await asyncio.sleep(0.05)
    assert not kept[0].content._buffer
    await listener.close()


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_who_asks_again_and_again_and_does_not_read_loses_his_connection(secure: bool, issued: Issued) -> None:
    """Four addresses had all places for ever, with a few bytes each."""
    asked = 0

    async def large(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(body=b"x" * (1 << 20))

    limits = HTTPLimits(head_seconds=0.1, keepalive_seconds=0.3)
    context = Certificates(issued.certificate, issued.key).server if secure else None
    listener = HTTPListener([web.get("/large", large)], limits)
    address = await listener.listen("127.0.0.1", 0, context)
    reader, writer = await asyncio.open_connection(*address, ssl=trusting() if secure else None, limit=1 << 10)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
    async with asyncio.timeout(5):
        while not asked or listener._runner.server is None or listener._runner.server.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert asked < 100
    writer.transport.abort()
    await listener.close()


async def test_who_reads_slowly_but_reads_keeps_his_connection() -> None:
    async def medium(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 100_000)

    listener = HTTPListener([web.get("/medium", medium)], HTTPLimits(head_seconds=0.1, keepalive_seconds=0.3))
    address = await listener.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*address)
    for _ in range(10):
        writer.write(b"GET /medium HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.05)
            await reader.readexactly(100_000)
    writer.close()
    await listener.close()
