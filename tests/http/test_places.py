"""One address has a share of the connections, and gives it back however they end: counted, and on real sockets."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Network

import pytest
from aiohttp import web

from gitops_profile.http import HTTPLimits, HTTPListener
from gitops_profile.http.client_address import Proxies
from gitops_profile.http.places import Places
from gitops_profile.transport import Certificates
from tests.transport.authority import Issued

from .device_site import LOOPBACK
from .test_accept import trusting
from .test_front import Site, get

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LIMITS = HTTPLimits(connections=8, head_seconds=0.3)  # two of them for one address
OTHER = get("/other")


def test_each_address_has_its_own_and_a_customer_is_one() -> None:
    places = Places(2)
    assert [places.take(peer) for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")] == [
        True, True, False, True,
    ]  # fmt: skip
    assert [places.take(f"2001:db8:1:2::{number}") for number in range(3)] == [True, True, False]
    places.give_back("192.0.2.1")
    assert places.take("::ffff:192.0.2.1") and not places.take("192.0.2.1")


def test_proxies_and_unix_sockets_have_any_number() -> None:
    places = Places(1, [IPv4Network("192.0.2.0/24")])
    assert all(places.take(peer) for peer in ("192.0.2.1", None) for _ in range(3))
    places.give_back("192.0.2.1")
    places.give_back(None)
    assert places.take("192.0.2.1") and not places._open


def test_who_has_all_of_his_is_said_once_until_he_has_room(caplog: pytest.LogCaptureFixture) -> None:
    places = Places(1)
    for _ in range(2):
        places.take("192.0.2.1")
        for _ in range(3):
            places.take("192.0.2.1")
            places.look_who_is_full()
        places.give_back("192.0.2.1")
        places.look_who_is_full()
    assert caplog.messages == ["http connections refused at=1 source=192.0.2.1"] * 2
    assert not places._open


@asynccontextmanager
async def listening(issued: Issued | None, proxies: Proxies = ()) -> AsyncIterator[tuple[HTTPListener, int]]:
    listener = HTTPListener([web.get("/other", hello)], LIMITS, proxies)
    context = Certificates(issued.certificate, issued.key).server if issued is not None else None
    try:
        yield listener, (await listener.listen("127.0.0.1", 0, context))[1]
    finally:
        await listener.close()


async def hello(request: web.BaseRequest) -> web.Response:
    return web.Response(text="hello")


async def connect(port: int, source: str, issued: Issued | None = None) -> Connection:
    context = trusting() if issued is not None else None
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0), ssl=context)


async def status(connection: Connection, text: str = OTHER) -> bytes:
    """Of an answer; empty when the connection is closed instead."""
    connection[1].write(text.encode())
    async with asyncio.timeout(5):
        try:
            return (await connection[0].readline())[9:12]
        except ConnectionError:
            return b""


async def once(port: int, source: str, issued: Issued | None = None, text: str = OTHER) -> bytes:
    """The same on a connection of its own."""
    try:
        connection = await connect(port, source, issued)
    except (ConnectionError, ssl.SSLError):
        return b""  # in the handshake
    try:
        return await status(connection, text)
    finally:
        connection[1].close()


async def until_free(listener: HTTPListener) -> None:
    async with asyncio.timeout(5):
        while listener._places._open:  # noqa: ASYNC110  # the other end hears of it in its time
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_one_address_leaves_places_to_others_and_gives_its_own_back(
    secure: bool, issued: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    given = issued if secure else None
    async with listening(given) as (listener, port):
        held = [await connect(port, "127.0.0.66", given) for _ in range(2)]
        assert [await status(one) for one in held] == [b"200"] * 2
        assert [await once(port, "127.0.0.66", given) for _ in range(3)] == [b""] * 3
        other = await connect(port, "127.0.0.3", given)
        assert await status(other) == b"200"
        for _, writer in (*held, other):
            writer.close()
        await until_free(listener)
        assert await once(port, "127.0.0.66", given) == b"200"
    assert caplog.messages == ["http connections refused at=2 source=127.0.0.66"]


async def test_a_place_comes_back_from_who_sends_nothing_or_no_tls_or_goes_away(issued: Issued) -> None:
    async with listening(issued) as (listener, port):
        for sent in (b"", b"GET / HTTP/1.1\r\n\r\n"):
            held = [await connect(port, "127.0.0.66") for _ in range(2)]
            assert await once(port, "127.0.0.66") == b""
            for _, writer in held:
                writer.write(sent)
            await until_free(listener)
            for _, writer in held:
                writer.close()
        _, writer = await connect(port, "127.0.0.66")
        writer.transport.abort()
        await until_free(listener)
        assert await once(port, "127.0.0.66", issued) == b"200"


async def test_a_proxy_has_any_number() -> None:
    async with listening(None, LOOPBACK) as (_, port):
        held = [await connect(port, "127.0.0.1") for _ in range(5)]
        assert [await status(one) for one in held] == [b"200"] * 5
        for _, writer in held:
            writer.close()


async def test_who_has_been_answered_makes_room_and_who_has_not_does_not() -> None:
    """All phones of an office come at once after a commit, from one address, and keep what they have for a while."""
    site = Site(LIMITS)
    _, port = await site.listener.listen("127.0.0.1", 0)
    first, second = [await connect(port, "127.0.0.66") for _ in range(2)]
    assert await status(first, get()) == b"200"
    assert await status(second, get()) == b"200"
    crowd = [await connect(port, "127.0.0.66")]
    assert await status(crowd[0], get()) == b"200"
    await first[0].read()
    assert first[0].at_eof() and not second[0].at_eof(), "it was kept the longest"
    for _ in range(3):
        crowd.append(await connect(port, "127.0.0.66"))
        assert await status(crowd[-1], get()) == b"200"
    silent = [await connect(port, "127.0.0.66") for _ in range(2)]
    assert await once(port, "127.0.0.66", text=get()) == b"", "they may ask at any moment"
    for reader, _ in silent:
        with suppress(ConnectionResetError):
            assert await reader.read() == b""  # silent for too long
    assert await once(port, "127.0.0.66", text=get()) == b"200"
    await site.listener.close()
    for _, writer in (first, second, *crowd, *silent):
        writer.close()
    await until_free(site.listener)


async def test_when_all_places_are_taken_the_longest_kept_makes_room() -> None:
    site = Site(LIMITS)
    _, port = await site.listener.listen("127.0.0.1", 0)
    held = [await connect(port, f"127.0.1.{number}") for number in range(8)]
    for one in held:
        assert await status(one, get()) == b"200"
    assert await once(port, "127.0.0.66", text=get()) == b"200"
    await held[0][0].read()
    assert [reader.at_eof() for reader, _ in held] == [True] + 7 * [False]
    await site.listener.close()
    for _, writer in held:
        writer.close()


@pytest.mark.parametrize("source", ["127.0.0.66", None], ids=["of one address", "of all"])
async def test_who_makes_room_over_tls_and_says_no_goodbye_is_not_waited_for_by_many(
    source: str | None, issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS waits 30 s for it. Such connections had no place any more, and any number of them were open."""
    monkeypatch.setattr("gitops_profile.http.listener.LEAVING", 3)
    site = Site(LIMITS)
    _, port = await site.listener.listen("127.0.0.1", 0, Certificates(issued.certificate, issued.key).server)
    before, held = open_files(), []
    for number in range(24):
        held.append(await connect(port, source or f"127.0.1.{number}", issued))
        assert await status(held[-1], get()) == b"200"
        transport = held[-1][1].transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()  # it hears no goodbye, and gives none back
    ours = open_files() - before - len(held)
    assert ours <= (2 if source else 8) + 3
    await site.listener.close()
    for _, writer in held:
        writer.transport.abort()


def open_files() -> int:
    return len(os.listdir("/dev/fd"))
