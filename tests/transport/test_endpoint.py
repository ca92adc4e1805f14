"""The endpoint on real sockets, port 0, with a store that is durable at once."""

import asyncio
import re
import socket

import pytest

from gitops_profile.phone import Phone, PhoneError, SubscriberSettings, open_phone
from gitops_profile.sip import Flow, NotifyAnswered
from gitops_profile.transport import ListenAddress, ListenError, StreamLimits, bind_all
from tests.transport.lab import Lab, eventually, options, talk


async def wait_for(phone: Phone, kind: str) -> bytes:
    async with asyncio.timeout(5):
        while (received := await phone.next()).kind != kind:
            pass
        return received.body


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_subscribe_change_and_end(lab: Lab, transport: str, host: str) -> None:
    port = lab.port if host == "127.0.0.1" else lab.port6
    async with open_phone(SubscriberSettings("sip:alice@example.com"), (host, port), transport) as phone:
        await phone.subscribe()
        assert await wait_for(phone, "document") == b"<a/>"
        lab.package.documents["alice"] = b"<b/>"
        lab.endpoint.state_changed(["alice"])
        assert await wait_for(phone, "document") == b"<b/>"
        await phone.subscribe(0)
        await wait_for(phone, "ended")
    assert len(lab.endpoint.notifier) == 0


async def test_a_port_that_is_taken_is_said_in_one_line(lab: Lab) -> None:
    with pytest.raises(ListenError, match="in use by another program"):
        bind_all([ListenAddress.parse("udp:127.0.0.1:0"), ListenAddress.parse(f"udp:127.0.0.1:{lab.port}")])


def test_a_chosen_port_that_is_taken_for_the_other_transport_is_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bind = ListenAddress.bind
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        first = [port]

        def unlucky(address: ListenAddress, chosen: int | None = None) -> socket.socket:
            return bind(address, first.pop() if first else chosen)

        monkeypatch.setattr(ListenAddress, "bind", unlucky)
        bound = bind_all([ListenAddress.parse("udp:127.0.0.1:0"), ListenAddress.parse("tcp:127.0.0.1:0")])
        assert bound[0][0].port == bound[1][0].port != port
        for _, sock in bound:
            sock.close()


@pytest.mark.parametrize("text", ["", "udp", "udp:5060", "sctp:127.0.0.1:5060", "udp:host:5060", "udp:127.0.0.1:99999"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ListenError):
        ListenAddress.parse(text)


async def test_small_messages_leave_at_once_on_an_accepted_connection(lab: Lab) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    writer.write(options())
    await eventually(lambda: lab.connections == 1)
    (held,) = lab.endpoint._streams._connections.values()
    sock = held._transport.get_extra_info("socket") if held._transport else None
    assert sock is not None and sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    writer.close()
    await writer.wait_closed()


async def test_a_stream_byte_by_byte(lab: Lab) -> None:
    """Checklist row 31: RFC 3261 §7.5, §18.3."""
    assert (await talk(lab.port, b"\r\n" + options(), pieces=10_000)).startswith(b"SIP/2.0 200")


async def test_a_nul_between_messages_of_a_stream_is_no_part_of_one(lab: Lab) -> None:
    assert (await talk(lab.port, b"\r\n\0" + options())).startswith(b"SIP/2.0 200")


class Eager:
    """A colleague whose everything is."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def take_message(self, data: bytes, flow: Flow) -> bool:
        self.messages.append(data)
        return True

    def take_to_send(self, data: bytes, flow: Flow) -> bool:
        return True

    def take_failure(self, data: bytes, flow: Flow) -> bool:
        return True


async def test_a_message_that_begins_with_a_nul_is_stun_on_udp_only(lab: Lab) -> None:
    lab.endpoint.colleagues = eager = Eager()
    for transport in ("udp", "tcp", "ws"):
        lab.endpoint.receive(b"\0" + options(transport), Flow(transport, ("127.0.0.1", 5060), ("127.0.0.1", 5062)))
    assert eager.messages == [b"\0" + options("tcp"), b"\0" + options("ws")]


async def test_a_phone_on_tcp_that_asks_for_udp_where_there_is_none_is_notified_by_tcp_at_once() -> None:
    """RFC 3261 §8.1.3.1, §17.1.4: what cannot be sent is a 503 now, and no time-out later."""
    async with Lab(listen=["tcp:127.0.0.1:0"]) as lab:
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
        subscribe = options().replace(b"OPTIONS", b"SUBSCRIBE").replace(b"sip:example.com", b"sip:alice@example.com")
        contact = b"Event: ua-profile\r\nContact: <sip:alice@127.0.0.1:5062;transport=udp>\r\nContent-Length"
        writer.write(subscribe.replace(b"Content-Length", contact))
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"NOTIFY ")
        writer.close()
        await writer.wait_closed()


async def test_an_answer_that_has_no_socket_is_nobodys_concern(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[bytes] = []
    monkeypatch.setattr(lab.notifier, "transport_failed", lambda data, flow, *, now: failed.append(data))
    monkeypatch.setattr(lab.endpoint, "_udp", {})
    for data in (b"SIP/2.0 200 OK\r\n\r\n", b"NOTIFY sip:a@b SIP/2.0\r\n\r\n"):
        lab.endpoint.send(data, Flow("udp", ("127.0.0.1", lab.port), ("127.0.0.1", 5062)))
        assert failed == []  # never while the caller is still sending
    await eventually(lambda: failed)
    assert failed == [b"NOTIFY sip:a@b SIP/2.0\r\n\r\n"]


async def test_a_double_line_end_is_answered_with_one(lab: Lab) -> None:
    """Checklist row 32: RFC 5626 §5.4."""
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(2):
        assert await reader.readexactly(2) == b"\r\n"  # RFC 5626 §5.4
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("length", ["-1", "x", "99999999", "1\r\nContent-Length: 2"])
async def test_a_stream_that_cannot_be_framed_is_closed(lab: Lab, length: str) -> None:
    """Checklist row 31: RFC 3261 §18.3, RFC 4475 §3.1.2.3."""
    data = options().replace(b"Content-Length: 0", f"Content-Length: {length}".encode())
    answer = await talk(lab.port, data)
    assert b"<timeout>" not in answer and (not answer or answer.startswith((b"SIP/2.0 400", b"SIP/2.0 413")))


async def test_half_a_message_is_not_waited_for_for_ever() -> None:
    async with Lab(StreamLimits(partial=0.05)) as lab:
        assert await talk(lab.port, options()[:50]) == b""


async def test_connections_of_one_source_are_bounded() -> None:
    async with Lab(StreamLimits(per_source=2)) as lab:
        held = [await asyncio.open_connection("127.0.0.1", lab.port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(2):
                if await reader.read(1) == b"":
                    raise ConnectionResetError
        for _, open_writer in [*held, (reader, writer)]:
            open_writer.close()


@pytest.mark.parametrize(
    "junk", [b"", b"\0\0\0\0", b"\r\n\r\n", b"x" * 600, b"SIP/2.0 200 OK\r\n\r\n", bytes(range(256))]
)
async def test_junk_gets_silence_and_harms_nobody(lab: Lab, junk: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(sock, junk, ("127.0.0.1", lab.port))
        await loop.sock_sendto(sock, options("after", "UDP"),
                               ("127.0.0.1", lab.port))  # fmt: skip
        async with asyncio.timeout(2):
            assert (await loop.sock_recv(sock, 4096)).startswith(b"SIP/2.0 200")


async def test_nobody_there_is_said_after_timer_f(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    real = asyncio.timeout
    monkeypatch.setattr("gitops_profile.phone.client.asyncio.timeout", lambda delay: real(delay / 1000))
    with pytest.raises(PhoneError, match="gitops-profile serve"):
        async with open_phone(SubscriberSettings("sip:alice@example.com"), ("127.0.0.1", port)) as phone:
            await phone.subscribe()


async def test_connections_that_were_closed_make_room_again() -> None:
    async with Lab(StreamLimits(per_source=3, linger=0.05)) as lab:
        for number in range(12):
            assert (await talk(lab.port, options(f"c{number}"))).startswith(b"SIP/2.0 200")
            await asyncio.sleep(0.06)  # the linger of the connection before


async def test_what_was_whole_before_a_broken_frame_is_answered(lab: Lab) -> None:
    broken = options("c3").replace(b"Content-Length: 0\r\n", b"")
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    writer.write(options("c1") + options("c2") + broken)
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert [line for line in answer.split(b"\r\n") if line.startswith(b"SIP/2.0 ")] == [
        b"SIP/2.0 200 OK",
        b"SIP/2.0 200 OK",
        b"SIP/2.0 400 Content-Length missing on a stream",
    ]
    writer.close()
    await writer.wait_closed()


async def test_a_peer_that_does_not_read_is_cut_off_when_its_time_is_up() -> None:
    async with Lab(StreamLimits(partial=0.2)) as lab:
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.port, limit=1)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport has it
        for number in range(3000):
            writer.write(options(f"n{number}") * 4)
        writer.write(options("last")[:40])
        await eventually(lambda: not lab.connections)
        writer.transport.abort()


@pytest.mark.parametrize("closed", ["whole", "half"])
async def test_a_phone_that_closed_its_connection_is_told_on_a_new_one(lab: Lab, closed: str) -> None:
    told = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"<b/>" in await reader.readuntil(b"<b/>"):
            told.set()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    subscribe = (
        "SUBSCRIBE sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKx\r\n"
        "From: <sip:a@b>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: gone\r\nCSeq: 1 SUBSCRIBE\r\n"
        f"Contact: <sip:alice@127.0.0.1:{port};transport=tcp>\r\nEvent: ua-profile\r\nContent-Length: 0\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    writer.write(subscribe.encode())
    async with asyncio.timeout(5):
        data = await reader.readuntil(b"<a/>")
    notify = b"NOTIFY " + data.partition(b"NOTIFY ")[2]
    lines = [line for line in notify.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
    writer.write(b"SIP/2.0 200 OK\r\n" + b"\r\n".join(lines) + b"\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    await eventually(lambda: any(s.acknowledged_etag for s in lab.endpoint.notifier.subscriptions()))
    if closed == "half":
        writer.write_eof()
        await eventually(lambda: any(one.is_ending for one in lab.endpoint._streams._connections.values()))
    else:
        writer.close()
        await eventually(lambda: not lab.connections)
    lab.package.documents["alice"] = b"<b/>"
    lab.endpoint.state_changed(["alice"])
    async with asyncio.timeout(5):
        await told.wait()
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_a_phone_whose_connection_breaks_before_it_answers_is_told_on_a_new_one(lab: Lab) -> None:
    told = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"<a/>" in await reader.readuntil(b"<a/>"):
            told.set()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
        subscribe = options().replace(b"OPTIONS", b"SUBSCRIBE").replace(b"sip:example.com", b"sip:alice@example.com")
        contact = f"Event: ua-profile\r\nContact: <sip:alice@127.0.0.1:{port};transport=tcp>\r\nContent-Length".encode()
        writer.write(subscribe.replace(b"Content-Length", contact))
        async with asyncio.timeout(10):
            await reader.readuntil(b"<a/>")
            writer.transport.abort()
            await told.wait()
    assert len(lab.notifier) == 1


async def test_a_crowd_behind_a_proxy_is_told_on_one_new_connection(lab: Lab) -> None:
    """After a restart of either: a hundred waited for the connection, and the others for their next refresh."""
    told: set[bytes] = set()
    accepted = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        while data := await reader.read(1 << 16):
            told.update(re.findall(rb"NOTIFY sip:([0-9]+)@", data))
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        flow = Flow("tcp", ("127.0.0.1", lab.port), ("127.0.0.1", port), 4711)
        for number in range(300):
            line = f"NOTIFY sip:{number}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK{number};rport\r\n"
            lab.endpoint.send(f"{line}Content-Length: 0\r\n\r\n".encode(), flow)
        await eventually(lambda: len(told) == 300)
        assert accepted == 1
        await lab.endpoint.close()


async def test_an_answer_that_came_last_counts_however_much_came_with_it(lab: Lab) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    subscribe = options().replace(b"OPTIONS", b"SUBSCRIBE").replace(b"sip:example.com", b"sip:alice@example.com")
    contact = b"Event: ua-profile\r\nContact: <sip:alice@127.0.0.1:9;transport=tcp>\r\nContent-Length"
    writer.write(subscribe.replace(b"Content-Length", contact))
    async with asyncio.timeout(5):
        notify = b"NOTIFY " + (await reader.readuntil(b"<a/>")).partition(b"NOTIFY ")[2]
    lines = [line for line in notify.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
    answer = b"SIP/2.0 200 OK\r\n" + b"\r\n".join(lines) + b"\r\nContent-Length: 0\r\n\r\n"
    writer.write(b"\n" * 60_000 + answer)
    writer.close()
    await eventually(lambda: not lab.connections)
    await eventually(lambda: any(isinstance(one, NotifyAnswered) for one in lab.happened))
    assert [one.status for one in lab.happened if isinstance(one, NotifyAnswered)] == [200]


async def test_a_datagram_of_64_kilobytes_is_answered(lab: Lab) -> None:
    """Checklist row 30: RFC 3261 §18.1.1: the largest that UDP carries."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", lab.port))
        await loop.sock_sendall(sock, options(transport="UDP", body=b"x" * 65_200))
        async with asyncio.timeout(2):
            assert (await loop.sock_recv(sock, 65535)).startswith(b"SIP/2.0 200 ")
