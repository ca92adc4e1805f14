"""Bounds of connections, over TCP and TLS alike; connections that we open."""

import asyncio
import errno
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvloop

from gitops_profile.sip import Flow
from gitops_profile.transport import Certificates, Reason, StreamLimits
from gitops_profile.transport.connections import BUSY
from tests.transport.authority import Authority, Issued
from tests.transport.lab import Lab, eventually, options, talk

STREAMS = ["tcp", "tls"]
LISTEN = ("tcp:127.0.0.1:0", "tls:127.0.0.1:0")


@pytest.fixture(params=STREAMS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Bounded:
    """A server with small bounds, and the way to one of its transports."""

    def __init__(self, lab: Lab, transport: str, trusting: ssl.SSLContext) -> None:
        self.lab = lab
        self.port = lab.ports[transport]
        self.context = trusting if transport == "tls" else None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)


@pytest.fixture
async def bounded(
    request: pytest.FixtureRequest, transport: str, certificates: Certificates, trusting: ssl.SSLContext
) -> AsyncIterator[Bounded]:
    small = StreamLimits(partial=0.3, linger=0.3, message_bytes=65535, per_source=3)
    limits = getattr(request, "param", small)
    async with Lab(limits, LISTEN, certificates) as lab:
        yield Bounded(lab, transport, trusting)


async def test_a_byte_at_a_time_is_cut_when_the_message_takes_too_long(bounded: Bounded) -> None:
    reader, writer = await bounded.open()
    for byte in options():
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)
        if Reason.SLOW in bounded.lab.reasons:
            break
    async with asyncio.timeout(5):
        with suppress(ConnectionResetError):  # of a byte that came when it was over
            assert await reader.read() == b""
    assert bounded.lab.reasons == [Reason.SLOW]
    writer.close()


HUGE_BODY = options().replace(b"Content-Length: 0", b"Content-Length: 104857600")


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (HUGE_BODY, (b"SIP/2.0 413",)),
        (options(extra="".join(f"X-{n}: y\r\n" for n in range(10_000))), (b"SIP/2.0 513", b"SIP/2.0 400")),
        (options(extra=f"X-Long: {'y' * (1 << 20)}\r\n"), (b"SIP/2.0 513", b"SIP/2.0 400")),
        (b"\x01" * 100_000, (b"",)),
    ],
    ids=["100 MB of body", "10 000 headers", "1 MB of header", "ones"],
)
async def test_what_is_too_large_is_answered_and_closed(
    bounded: Bounded, data: bytes, statuses: tuple[bytes, ...]
) -> None:
    reader, writer = await bounded.open()
    writer.write(data)
    answer = b""
    async with asyncio.timeout(5):
        try:
            answer = await reader.read()
        except ConnectionError:
            assert bounded.lab.connections == 0
    assert answer.startswith(statuses)
    assert bounded.lab.reasons and set(bounded.lab.reasons) <= {Reason.TOO_LARGE, Reason.UNFRAMED}
    await eventually(lambda: bounded.lab.connections == 0)
    writer.close()


async def test_connections_are_bounded_for_one_source_over_all_transports(bounded: Bounded) -> None:
    held = [await bounded.open() for _ in range(3)]
    await eventually(lambda: bounded.lab.connections == 3)
    other, writer = await asyncio.open_connection("127.0.0.1", bounded.lab.ports["tcp"])
    async with asyncio.timeout(5):
        assert await other.read() == b""
    assert bounded.lab.reasons == [Reason.TOO_MANY_OF_SOURCE]
    writer.close()
    held[0][1].close()
    await eventually(lambda: bounded.lab.connections == 2)
    assert (await talk(bounded.port, options(), context=bounded.context)).startswith(b"SIP/2.0 200")
    for _, open_writer in held:
        open_writer.close()


async def test_a_process_without_file_descriptors_says_so_and_accepts_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gitops_profile.transport.accept.PAUSE", 0.01)
    loop = asyncio.get_running_loop()
    accept = loop.sock_accept
    errors: list[OSError] = [OSError(errno.EMFILE, "Too many open files"), ConnectionAbortedError()]

    async def failing(sock: socket.socket) -> tuple[socket.socket, object]:
        if errors:
            raise errors.pop()
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", failing)
    async with Lab() as lab:
        assert (await talk(lab.port, options())).startswith(b"SIP/2.0 200")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "no connection can be accepted: Too many open files"
    ]


async def test_a_ping_is_answered_over_tls_too(bounded: Bounded) -> None:
    reader, writer = await bounded.open()
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.readexactly(2) == b"\r\n"
    writer.close()


def test_streams_are_served_on_the_other_event_loop(
    transport: str, certificates: Certificates, trusting: ssl.SSLContext
) -> None:
    """Its transports are of no class of asyncio's."""

    async def ask() -> bytes:
        async with Lab(listen=LISTEN, certificates=certificates) as lab:
            context = trusting if transport == "tls" else None
            return await talk(lab.ports[transport], options(transport=transport.upper()), context=context)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask()).startswith(b"SIP/2.0 200")


# -- connections that we open --------------------------------------------------------------------------------------


def notify(branch: str) -> bytes:
    return f"NOTIFY sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS x;branch={branch};rport\r\nContent-Length: 0\r\n\r\n".encode()


class Peer:
    """Something that listens, and what it was sent."""

    def __init__(self) -> None:
        self.data = b""
        self.port = 0
        self.accepted = 0

    async def start(self, context: ssl.SSLContext | None = None) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        while chunk := await reader.read(65536):
            self.data += chunk
        writer.close()

    def flow(self, transport: str, *names: str) -> Flow:
        return Flow(transport, ("127.0.0.1", 5061), ("127.0.0.1", self.port), 0, names)


class Failures:
    def __init__(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[bytes] = []
        self.connections: list[int] = []
        monkeypatch.setattr(lab.notifier, "transport_failed", self.failed)

    def failed(self, data: bytes, flow: Flow, *, now: float) -> None:
        self.messages.append(data)
        self.connections.append(flow.connection)


async def test_one_connection_is_opened_for_all_that_waits_for_it(lab: Lab) -> None:
    peer = Peer()
    async with await peer.start():
        for number in range(50):
            lab.endpoint.send(notify(f"n{number}"), peer.flow("tcp"))
        await eventually(lambda: peer.data.count(b"NOTIFY ") == 50)
        assert peer.accepted == 1
        lab.endpoint.send(notify("later"), peer.flow("tcp"))
        await eventually(lambda: b"later" in peer.data)
        assert peer.accepted == 1
        await lab.endpoint.close()


@pytest.mark.parametrize(
    ("alternatives", "wanted", "delivered"),
    [
        ("DNS:edge.example.com", ("edge.example.com",), True),
        ("URI:sip:example.com,DNS:edge.example.com", ("example.com",), True),
        ("IP:127.0.0.1", (), True),
        ("DNS:edge.example.com", ("other.example.com",), False),
        ("DNS:*.example.com", ("edge.example.com",), False),
        ("DNS:edge.example.com", (), False),
    ],
)
async def test_a_tls_peer_gets_nothing_before_its_certificate_is_for_it(
    certificates: Certificates,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    alternatives: str,
    wanted: tuple[str, ...],
    delivered: bool,
) -> None:
    issued = authority.issue("peer", alternatives, "peer")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issued.certificate, issued.key)
    peer = Peer()
    async with Lab(certificates=certificates) as lab, await peer.start(context):
        failures = Failures(lab, monkeypatch)
        lab.endpoint.send(notify("n"), peer.flow("tls", *wanted))
        await eventually(lambda: peer.data or failures.messages)
        assert (peer.data, failures.messages) == ((notify("n"), []) if delivered else (b"", [notify("n")]))
        await eventually(lambda: lab.connections == (1 if delivered else 0))
        await lab.endpoint.close()


async def test_a_peer_with_a_certificate_of_strangers_gets_nothing(
    server_files: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server_files.certificate, server_files.key)
    peer = Peer()
    async with Lab(certificates=Certificates(None)) as lab, await peer.start(context):  # the authority is not trusted
        failures = Failures(lab, monkeypatch)
        lab.endpoint.send(notify("n"), peer.flow("tls"))
        await eventually(lambda: failures.messages == [notify("n")])
        assert peer.data == b"" and lab.connections == 0


async def test_nobody_there_is_a_failed_transport(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = Failures(lab, monkeypatch)
    peer = Peer()
    server = await peer.start()
    server.close()
    await server.wait_closed()
    lab.endpoint.send(notify("n"), peer.flow("tcp"))
    lab.endpoint.send(b"SIP/2.0 200 OK\r\n\r\n", peer.flow("tcp"))  # an answer is not worth a connection
    await eventually(lambda: failures.messages == [notify("n")])
    assert lab.connections == 0


async def test_what_waits_for_a_connection_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Lab(StreamLimits(waiting=2, destinations=1, connect=0.2)) as lab:
        failures = Failures(lab, monkeypatch)
        nowhere = Flow("tcp", ("127.0.0.1", 5060), ("127.0.0.1", 9), 7)
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", lambda *_, **__: asyncio.sleep(60))
        for number in range(4):
            lab.endpoint.send(notify(f"n{number}"), nowhere)
        lab.endpoint.send(notify("elsewhere"), Flow("tcp", ("127.0.0.1", 5060), ("127.0.0.2", 9)))
        assert failures.messages == []  # never while the caller is still sending
        await eventually(lambda: len(failures.messages) == 3)
        assert failures.messages == [notify("n2"), notify("n3"), notify("elsewhere")]
        await eventually(lambda: len(failures.messages) == 5)  # the others when the connection was given up
        assert failures.connections == [BUSY, BUSY, BUSY, 0, 0], "who was one too many may be there"
        assert lab.connections == 0


async def test_a_connection_that_we_have_no_room_for_may_be_possible_later(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = Failures(lab, monkeypatch)
    monkeypatch.setattr(lab.endpoint.admission, "admit", lambda host: None)
    lab.endpoint.send(notify("n"), Flow("tcp", ("127.0.0.1", 5060), ("127.0.0.1", 9), 7))
    await eventually(lambda: failures.messages)
    assert failures.connections == [BUSY]


async def test_connections_are_opened_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Lab(StreamLimits(dials=3, connect=5)) as lab:
        at_once = most = 0

        async def connect(*_: object, **__: object) -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.01)
            at_once -= 1
            raise ConnectionRefusedError

        failures = Failures(lab, monkeypatch)
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", connect)
        for number in range(20):
            lab.endpoint.send(notify(f"n{number}"), Flow("tcp", ("127.0.0.1", 5060), (f"127.0.0.{number}", 9)))
        await eventually(lambda: len(failures.messages) == 20)
        assert most == 3


async def test_a_tls_connection_of_somebody_else_is_not_used(
    certificates: Certificates, trusting: ssl.SSLContext
) -> None:
    """Checklist row 36: RFC 5923 §9.2. An address is nobody's name: behind a NAT, or on one machine, somebody else may
    have it by now, and the document that goes there is not for him."""
    async with Lab(listen=LISTEN, certificates=certificates) as lab:
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.ports["tls"], ssl=trusting)
        remote = writer.get_extra_info("sockname")
        gone = 4711  # the connection that the flow was of
        for flow in (
            Flow("tls", ("127.0.0.1", 5061), remote, 0, ("edge.example.com",)),
            Flow("tls", ("127.0.0.1", 5061), remote),
            Flow("tls", ("127.0.0.1", 5061), remote, gone),
        ):
            writer.write(b"\r\n\r\n")
            async with asyncio.timeout(5):
                assert await reader.readexactly(2) == b"\r\n"  # the pong, and no NOTIFY before it
            lab.endpoint.send(notify("private"), flow)
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(5):
            assert await reader.readexactly(2) == b"\r\n"
        writer.close()


async def test_names_mean_nothing_without_tls(lab: Lab) -> None:
    """An open TCP connection is used whatever name led to its peer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readexactly(2)
    remote = writer.get_extra_info("sockname")
    lab.endpoint.send(notify("named"), Flow("tcp", ("127.0.0.1", lab.port), remote, 0, ("edge.example.com",)))
    async with asyncio.timeout(5):
        assert b"named" in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def flow_of(bounded: Bounded) -> Flow:
    """Of its one connection."""
    connections = bounded.lab.endpoint._streams._connections
    await eventually(lambda: connections)
    flow = next(iter(connections.values())).flow
    assert flow is not None
    return flow


def large(number: int) -> bytes:
    body = b"x" * 60_000
    return notify(f"n{number}").replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: 60000\r\n\r\n") + body


@pytest.mark.parametrize("bounded", [StreamLimits(unread_bytes=1 << 20)], indirect=True)
async def test_a_proxy_that_reads_is_told_all_however_much_it_is(bounded: Bounded) -> None:
    """600 phones behind one, and a document of 60 kB: it was cut off, again and again, though it read all the time."""
    reader, writer = await bounded.open()
    flow = await flow_of(bounded)
    for number in range(200):
        bounded.lab.endpoint.send(large(number), flow)
    bounded.lab.endpoint.send(b"SIP/2.0 200 OK\r\n\r\n", flow)  # an answer waits for no NOTIFYs
    data = b""
    async with asyncio.timeout(10):
        while data.count(b"NOTIFY ") < 200 or not data.endswith(b"x" * 60_000):
            data += await reader.read(1 << 20)
    assert re.findall(rb"branch=n([0-9]+)", data) == [b"%d" % number for number in range(200)]
    assert data.index(b"SIP/2.0 200") < data.index(b"branch=n199")
    assert bounded.lab.reasons == []
    writer.close()


async def test_a_peer_that_has_not_read_for_as_long_as_a_notify_waits_is_cut(
    bounded: Bounded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitops_profile.transport.stream.KEPT", 0.2)
    _, writer = await bounded.open()
    flow = await flow_of(bounded)
    for number in range(300):
        bounded.lab.endpoint.send(large(number), flow)
    await asyncio.sleep(0.3)
    bounded.lab.endpoint.send(b"SIP/2.0 200 OK\r\n\r\n", flow)
    assert bounded.lab.reasons == [Reason.UNREAD]
    writer.transport.abort()
