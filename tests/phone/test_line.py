"""The phone over every transport, against our server and against peers that are none."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gitops_profile.phone import Phone, PhoneError, SubscriberSettings, open_phone, server_context
from gitops_profile.transport import Certificates
from tests.transport.authority import Authority
from tests.transport.lab import Lab, eventually

ALICE = SubscriberSettings("sip:alice@example.com")
TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"]
EVERYWHERE = tuple(f"{transport}:{host}:0" for host in ("127.0.0.1", "[::1]") for transport in TRANSPORTS)


async def document(phone: Phone) -> bytes:
    async with asyncio.timeout(5):
        while (received := await phone.next()).kind != "document":
            pass
        return received.body


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_subscribe_change_and_end(
    certificates: Certificates, authority: Authority, transport: str, host: str
) -> None:
    async with Lab(listen=EVERYWHERE, certificates=certificates) as lab:
        port = lab.port_of(transport, host)
        context = server_context(authority.certificate)
        async with open_phone(ALICE, (host, port), transport, context) as phone:
            await phone.subscribe()
            assert await document(phone) == b"<a/>"
            (subscription,) = lab.notifier.subscriptions()
            assert subscription.flow.transport == transport
            lab.package.documents["alice"] = b"<b/>"
            lab.endpoint.state_changed(["alice"])
            assert await document(phone) == b"<b/>"
            await phone.subscribe(0)
            await eventually(lambda: phone.subscriber.ended)
        assert len(lab.notifier) == 0
        await eventually(lambda: lab.connections == 0)


@pytest.mark.parametrize("transport", ["tls", "wss"])
async def test_a_certificate_that_is_not_trusted_is_said(certificates: Certificates, transport: str) -> None:
    async with Lab(listen=EVERYWHERE, certificates=certificates) as lab:
        with pytest.raises(
            PhoneError, match=r"127\.0\.0\.1:\d+ over .*ss? is not trusted: .*--ca, or --insecure"
        ) as one:
            async with open_phone(ALICE, ("127.0.0.1", lab.ports[transport]), transport):
                pass
        assert "\n" not in str(one.value)
        async with open_phone(
            ALICE, ("127.0.0.1", lab.ports[transport]), transport, server_context(insecure=True)
        ) as phone:
            await phone.subscribe()
            assert await document(phone) == b"<a/>"


async def test_a_certificate_for_another_name_is_not_taken(certificates: Certificates, authority: Authority) -> None:
    issued = authority.issue("elsewhere", "DNS:elsewhere.example.com")
    async with Lab(listen=EVERYWHERE, certificates=Certificates(issued.certificate, issued.key)) as lab:
        with pytest.raises(PhoneError, match="IP address mismatch"):
            async with open_phone(ALICE, ("127.0.0.1", lab.ports["tls"]), "tls", server_context(authority.certificate)):
                pass


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
async def test_nobody_there_is_said(transport: str) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(PhoneError, match=f"cannot reach 127.0.0.1:{port} over {transport}"):
        async with open_phone(ALICE, ("127.0.0.1", port), transport):
            pass


async def test_a_web_server_that_speaks_no_sip_is_said() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(PhoneError, match="answers the WebSocket handshake with 404"):
            async with open_phone(ALICE, ("127.0.0.1", port), "ws"):
                pass


def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhoneError, match=r"--ca .*missing\.pem cannot be used: No such file"):
        server_context(tmp_path / "missing.pem")
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(PhoneError, match=r"--ca .*text\.pem cannot be used"):
        server_context(tmp_path / "text.pem")


async def test_a_server_that_stops_ends_no_phone_with_a_traceback(
    certificates: Certificates, trusting: ssl.SSLContext
) -> None:
    for transport in ("tcp", "tls", "wss"):
        async with Lab(listen=EVERYWHERE, certificates=certificates) as lab:
            async with open_phone(ALICE, ("127.0.0.1", lab.ports[transport]), transport, trusting) as phone:
                await phone.subscribe()
                await lab.endpoint.close()
                phone.feed(b"")
