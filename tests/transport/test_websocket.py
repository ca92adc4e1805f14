"""SIP over WebSocket (RFC 7118), with a client that is not aiohttp's."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from gitops_profile.sip import Flow
from gitops_profile.transport import Certificates, Reason, StreamLimits
from tests.transport.authority import Authority
from tests.transport.lab import Lab, eventually, options, talk

SIP = [Subprotocol("sip")]
LISTEN = ("ws:127.0.0.1:0", "wss:127.0.0.1:0")


@pytest.fixture
async def web(certificates: Certificates) -> AsyncIterator[Lab]:
    limits = StreamLimits(message_bytes=65535, partial=0.3, handshake=1.0, linger=0.3)
    async with Lab(limits, LISTEN, certificates) as lab:
        yield lab


def dial(lab: Lab, context: ssl.SSLContext | None = None, **options: Any) -> connect:
    name = "ws" if context is None else "wss"
    settings: dict[str, Any] = {"subprotocols": SIP, "ssl": context, "compression": None, **options}
    return connect(f"{name}://127.0.0.1:{lab.ports[name]}/", **settings)


def subscribe(transport: str = "WS") -> bytes:
    return (
        f"SUBSCRIBE sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/{transport} x.invalid;branch=z9hG4bKs\r\n"
        "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: s\r\nCSeq: 1 SUBSCRIBE\r\n"
        f"Contact: <sip:alice@x.invalid;transport=ws>\r\nMax-Forwards: 70\r\nEvent: ua-profile\r\n\r\n"
    ).encode()


async def receive(client: ClientConnection) -> str | bytes:
    async with asyncio.timeout(5):
        return await client.recv()


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("text", [False, True])
async def test_subscribe_without_a_length_is_answered_and_notified(
    web: Lab, trusting: ssl.SSLContext, secure: bool, text: bool
) -> None:
    async with dial(web, trusting if secure else None) as client:
        assert client.subprotocol == "sip"
        request = subscribe("WSS" if secure else "WS")
        await client.send(request.decode() if text else request)
        answer, notify = await receive(client), await receive(client)
        assert isinstance(answer, str) and answer.startswith("SIP/2.0 200 ")
        assert isinstance(notify, str) and notify.startswith("NOTIFY ") and notify.endswith("<a/>")


async def test_a_message_in_fragments_is_one_message(web: Lab) -> None:
    """Checklist row 63: RFC 7118 §5."""
    async with dial(web) as client:
        request = options(transport="WS").decode()
        await client.send([request[:20], request[20:21], request[21:]])
        assert str(await receive(client)).startswith("SIP/2.0 200 ")


async def test_content_that_is_no_text_goes_as_a_binary_frame(web: Lab) -> None:
    web.package.documents["alice"] = b"\xff\xfe"
    async with dial(web) as client:
        await client.send(subscribe())
        assert isinstance(await receive(client), str)
        notify = await receive(client)
        assert isinstance(notify, bytes) and notify.endswith(b"\r\n\r\n\xff\xfe")


async def test_keep_alives_are_answered_in_their_kind(web: Lab) -> None:
    async with dial(web) as client:
        await client.send("\r\n\r\n")
        assert await receive(client) == "\r\n"
        await client.send("\r\n")  # a pong: no answer
        async with asyncio.timeout(5):
            await (await client.ping(b"here"))
        await client.send(options(transport="WS").decode())
        assert str(await receive(client)).startswith("SIP/2.0 200 ")


async def test_our_own_pings_are_sent_and_a_peer_without_pong_is_cut(certificates: Certificates) -> None:
    async with Lab(StreamLimits(ping=0.1), LISTEN, certificates) as lab:
        async with dial(lab, ping_interval=None) as client:
            await asyncio.sleep(0.5)  # several times the interval
            await client.send(options(transport="WS").decode())
            assert str(await receive(client)).startswith("SIP/2.0 200 ")
        async with dial(lab, ping_interval=None) as client:
            client.transport.pause_reading()
            await eventually(lambda: lab.connections == 0)
            client.transport.abort()


# -- the handshake -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offered", [None, [Subprotocol("xmpp")], [Subprotocol("sips"), Subprotocol("SIP")]])
async def test_a_handshake_without_sip_is_answered_400_with_a_sentence(
    web: Lab, offered: list[Subprotocol] | None
) -> None:
    """Checklist row 63: RFC 7118 §4.1."""
    with pytest.raises(InvalidStatus) as raised:
        async with dial(web, subprotocols=offered):
            pass
    assert raised.value.response.status_code == 400
    assert b"Sec-WebSocket-Protocol: sip" in raised.value.response.body
    assert web.reasons == [Reason.HANDSHAKE]
    await eventually(lambda: web.connections == 0)


async def test_of_several_subprotocols_sip_is_chosen(web: Lab) -> None:
    """Checklist row 63: RFC 7118 §4.1."""
    async with dial(web, subprotocols=[Subprotocol("msrp"), Subprotocol("sip")]) as client:
        assert client.subprotocol == "sip"


async def test_several_lines_of_subprotocols_are_one_list(web: Lab) -> None:
    """RFC 6455 §11.3.4."""
    for lines in (["msrp", "sip"], ["sip", "msrp"], ["msrp, x", "y, sip"]):
        offers = "".join(f"Sec-WebSocket-Protocol: {line}\r\n" for line in lines)
        reader, writer = await asyncio.open_connection("127.0.0.1", web.ports["ws"])
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + f"Sec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==\r\n{offers}\r\n".encode()
        )
        async with asyncio.timeout(5):
            answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ") and b"\r\nSec-WebSocket-Protocol: sip\r\n" in answer
        writer.close()


async def test_a_browser_that_only_looks_is_told_what_is_here(web: Lab) -> None:
    answer = await talk(web.ports["ws"], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 426 ") and b"over WebSocket only" in answer
    await eventually(lambda: web.connections == 0)


async def test_pages_of_other_origins_are_refused_where_origins_are_listed(certificates: Certificates) -> None:
    async with Lab(listen=LISTEN, certificates=certificates, origins=["https://phones.example.com"]) as lab:
        async with dial(lab, origin="https://phones.example.com") as client:
            assert client.subprotocol == "sip"
        async with dial(lab) as client:  # no browser
            assert client.subprotocol == "sip"
        with pytest.raises(InvalidStatus) as raised:
            async with dial(lab, origin="https://evil.example"):
                pass
        assert raised.value.response.status_code == 403


async def test_who_was_gone_before_he_was_accepted_is_no_news(
    web: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reset(sock: socket.socket) -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    monkeypatch.setattr(socket.socket, "getpeername", reset)  # as it is after a reset; what was sent can be read still
    async with dial(web) as client:
        with pytest.raises(ConnectionClosed):
            await receive(client)
    await eventually(lambda: web.connections == 0)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# -- bounds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
async def test_a_handshake_that_does_not_end_is_cut(web: Lab, head: bytes) -> None:
    assert b"HTTP/1.1 101" not in await talk(web.ports["ws"], head)
    assert web.reasons == [Reason.HANDSHAKE] and web.connections == 0


async def test_a_frame_that_arrives_a_byte_at_a_time_is_cut(web: Lab) -> None:
    async with dial(web, ping_interval=None) as client:
        await client.send(options("first", "WS").decode())
        assert str(await receive(client)).startswith("SIP/2.0 200 ")
        client.transport.write(b"\x82\xfe\x01\x00mask")  # a binary frame of 256 bytes
        for _ in range(200):
            client.transport.write(b"x")
            await asyncio.sleep(0.01)
            if web.reasons:
                break
        assert web.reasons == [Reason.SLOW]
        await eventually(lambda: web.connections == 0)


async def test_a_message_that_is_a_little_too_long_is_answered_513_and_a_longer_one_closed(web: Lab) -> None:
    async with dial(web) as client:
        await client.send(options(transport="WS", extra="", body=b"x" * 66_000))
        assert str(await receive(client)).startswith("SIP/2.0 513 ")
        await client.send(b"x" * (1 << 20))
        with pytest.raises(ConnectionClosed) as raised:
            await receive(client)
        assert raised.value.rcvd is not None and raised.value.rcvd.code == 1009
    assert web.reasons == [Reason.TOO_LARGE]


async def test_ten_thousand_headers_are_refused_and_the_connection_lives(web: Lab) -> None:
    async with dial(web) as client:
        await client.send(options(transport="WS", extra="".join(f"X{n}: y\r\n" for n in range(10_000))))
        assert str(await receive(client)).startswith(("SIP/2.0 400 ", "SIP/2.0 513 "))
        await client.send(options("after", "WS"))
        assert str(await receive(client)).startswith("SIP/2.0 200 ")


async def test_a_peer_that_stops_reading_is_cut(trusting: ssl.SSLContext, certificates: Certificates) -> None:
    async with Lab(StreamLimits(unread_bytes=100_000), LISTEN, certificates) as lab:
        for context in (None, trusting):
            lab.refused.clear()
            async with dial(lab, context, ping_interval=None, max_queue=1) as client:
                client.transport.pause_reading()
                for number in range(10_000):
                    if lab.refused:
                        break
                    client.transport.write(frame(options(f"n{number}".ljust(4000, "x"), "WS")))
                    await asyncio.sleep(0)
                assert lab.reasons == [Reason.UNREAD]
                await eventually(lambda: lab.connections == 0)
                client.transport.abort()


@pytest.mark.parametrize("secure", [False, True])
async def test_a_peer_that_stops_reading_and_is_given_up_holds_no_place(
    trusting: ssl.SSLContext, certificates: Certificates, secure: bool
) -> None:
    async with Lab(StreamLimits(unread_bytes=64 << 20, ping=0.5, linger=0.2), LISTEN, certificates) as lab:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", lab.ports["wss" if secure else "ws"]))
        async with dial(lab, trusting if secure else None, sock=sock, ping_interval=None, max_queue=1) as client:
            client.transport.pause_reading()
            for number in range(2500):  # 10 MB, more than the kernel's buffers
                client.transport.write(frame(options(f"n{number}".ljust(4000, "x"), "WS")))
            await eventually(lambda: lab.connections == 0)
            client.transport.abort()


def frame(data: bytes) -> bytes:
    """A masked binary frame, the mask zero."""
    return b"\x82\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data


async def test_a_silent_peer_is_closed_after_the_idle_time(certificates: Certificates) -> None:
    async with Lab(StreamLimits(idle=0.2), LISTEN, certificates) as lab, dial(lab):
        await eventually(lambda: lab.connections == 0)


async def test_connections_of_a_source_are_bounded(certificates: Certificates) -> None:
    async with Lab(StreamLimits(per_source=1), LISTEN, certificates) as lab, dial(lab):
        with pytest.raises((InvalidMessage, ConnectionError)):
            async with dial(lab):
                pass
        assert lab.reasons == [Reason.TOO_MANY_OF_SOURCE]


# -- what the notifier sends ---------------------------------------------------------------------------------------


async def test_a_flow_whose_connection_is_gone_is_a_failed_transport(web: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[bytes] = []
    monkeypatch.setattr(web.notifier, "transport_failed", lambda data, flow, *, now: failed.append(data))
    gone = Flow("ws", ("127.0.0.1", web.ports["ws"]), ("127.0.0.1", 9), 77)
    web.endpoint.send(b"NOTIFY sip:x SIP/2.0\r\n\r\n", gone)
    web.endpoint.send(b"SIP/2.0 200 OK\r\n\r\n", gone)
    assert failed == []
    await eventually(lambda: failed == [b"NOTIFY sip:x SIP/2.0\r\n\r\n"])
    assert web.connections == 0


async def test_the_names_of_a_client_certificate_come_with_the_flow(
    web: Lab, authority: Authority, trusting: ssl.SSLContext
) -> None:
    issued = authority.issue("browser", "DNS:desk.example.com")
    trusting.load_cert_chain(issued.certificate, issued.key)
    async with dial(web, trusting) as client:
        await client.send(subscribe("WSS"))
        await receive(client)
        (subscription,) = web.notifier.subscriptions()
        assert (subscription.flow.transport, subscription.flow.peer) == ("wss", ("desk.example.com",))


async def test_a_server_that_stops_says_goodbye(web: Lab) -> None:
    async with dial(web) as client:
        await web.endpoint.close()
        with pytest.raises(ConnectionClosed) as raised:
            await receive(client)
        assert raised.value.rcvd is not None and raised.value.rcvd.code == 1001
