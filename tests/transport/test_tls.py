"""TLS: whom it lets in, whom it is for, and certificates that change while it runs."""

import asyncio
import logging
import os
import shutil
import socket
import ssl
from pathlib import Path

import pytest

from gitops_profile.sip import Flow
from gitops_profile.transport import (
    CertificateError,
    Certificates,
    ListenError,
    Reason,
    StreamLimits,
    certificate_names,
    certifies,
)
from tests.transport.authority import Authority, Issued
from tests.transport.lab import Lab, eventually, options, talk

TLS = ("tls:127.0.0.1:0",)


async def test_a_request_over_tls_is_answered(certificates: Certificates, trusting: ssl.SSLContext) -> None:
    async with Lab(listen=TLS, certificates=certificates) as lab:
        answer = await talk(lab.ports["tls"], options(transport="TLS"), context=trusting)
        assert answer.startswith(b"SIP/2.0 200")
        await eventually(lambda: lab.connections == 0)
        assert lab.refused == []


async def test_openssl_verifies_the_certificate_and_gets_an_answer(
    certificates: Certificates, authority: Authority
) -> None:
    async with Lab(listen=TLS, certificates=certificates) as lab:
        client = await asyncio.create_subprocess_exec(
            *(
                "openssl",
                "s_client",
                "-connect",
                f"127.0.0.1:{lab.ports['tls']}",
                "-CAfile",
                str(authority.certificate),
            ),
            *("-verify_hostname", "sip.example.com", "-verify_return_error", "-brief"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write(options(transport="TLS"))
        async with asyncio.timeout(10):
            assert (await client.stdout.readuntil(b"\r\n")).startswith(b"SIP/2.0 200")
        client.stdin.write(b"Q\n")  # at the beginning of a line: s_client ends
        async with asyncio.timeout(10):
            _, said = await client.communicate()
        assert b"Verification: OK" in said and b"TLSv1.3" in said


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
async def test_versions_before_1_2_are_refused(certificates: Certificates, version: str) -> None:
    async with Lab(listen=TLS, certificates=certificates) as lab:
        client = await asyncio.create_subprocess_exec(
            *("openssl", "s_client", "-connect", f"127.0.0.1:{lab.ports['tls']}", version, "-cipher", "ALL@SECLEVEL=0"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await asyncio.wait_for(client.communicate(), 10)
        assert client.returncode != 0
        await eventually(lambda: lab.reasons == [Reason.HANDSHAKE] and lab.connections == 0)


class _Onlookers:
    """Other workers that nothing is for, and that see by which flows it came."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []

    def take_message(self, data: bytes, flow: Flow) -> bool:
        self.flows.append(flow)
        return False

    def take_to_send(self, data: bytes, flow: Flow) -> bool:
        return False

    def take_failure(self, data: bytes, flow: Flow) -> bool:
        return False


async def test_the_names_of_a_client_certificate_come_with_the_flow(
    certificates: Certificates, authority: Authority, trusting: ssl.SSLContext
) -> None:
    issued = authority.issue("proxy", "URI:sip:Edge.example.com,URI:sip:bob@example.com,DNS:other.example.com")
    async with Lab(listen=TLS, certificates=certificates) as lab:
        colleagues = lab.endpoint.colleagues = _Onlookers()
        await talk(lab.ports["tls"], options("anonymous", "TLS"), context=trusting)
        trusting.load_cert_chain(issued.certificate, issued.key)
        await talk(lab.ports["tls"], options("named", "TLS"), context=trusting)
    assert [flow.peer for flow in colleagues.flows] == [(), ("edge.example.com",)]
    assert all(flow.secure and flow.reliable and flow.transport == "tls" for flow in colleagues.flows)


async def test_a_client_certificate_of_a_stranger_is_refused(
    certificates: Certificates, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger").issue("client", "DNS:edge.example.com")
    trusting.load_cert_chain(stranger.certificate, stranger.key)
    async with Lab(listen=TLS, certificates=certificates) as lab:
        try:
            answer = await talk(lab.ports["tls"], options(transport="TLS"), context=trusting)
        except ssl.SSLError:
            answer = b""
        assert b"SIP/2.0" not in answer
        await eventually(lambda: lab.reasons == [Reason.HANDSHAKE] and lab.connections == 0)


async def test_a_peer_that_speaks_no_tls_is_counted_and_cut(certificates: Certificates) -> None:
    async with Lab(listen=TLS, certificates=certificates) as lab:
        assert b"SIP/2.0" not in await talk(lab.ports["tls"], options())
        await eventually(lambda: lab.reasons == [Reason.HANDSHAKE] and lab.connections == 0)


async def test_a_handshake_that_never_ends_counts_as_a_connection_and_is_cut(certificates: Certificates) -> None:
    limits = StreamLimits(handshake=1.0, per_source=1)
    async with Lab(limits, TLS, certificates) as lab:
        slow, writer = await asyncio.open_connection("127.0.0.1", lab.ports["tls"])
        writer.write(b"\x16\x03\x01")  # the beginning of a record
        await eventually(lambda: lab.connections == 1)
        second, other = await asyncio.open_connection("127.0.0.1", lab.ports["tls"])
        async with asyncio.timeout(5):
            assert await second.read() == b""
            assert await slow.read() == b""
        assert lab.reasons == [Reason.TOO_MANY_OF_SOURCE, Reason.HANDSHAKE]
        assert lab.connections == 0
        writer.close()
        other.close()


async def test_a_tls_peer_that_stops_reading_is_cut_off(certificates: Certificates, trusting: ssl.SSLContext) -> None:
    async with Lab(StreamLimits(unread_bytes=100_000), TLS, certificates) as lab:
        _, writer = await asyncio.open_connection("127.0.0.1", lab.ports["tls"], ssl=trusting, limit=1)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport has it
        for number in range(20_000):
            if Reason.UNREAD in lab.reasons:
                break
            writer.write(options(f"n{number}".ljust(4000, "x"), "TLS"))
            await asyncio.sleep(0)
        await eventually(lambda: lab.connections == 0)
        assert lab.reasons == [Reason.UNREAD]
        writer.transport.abort()


async def test_a_goodbye_that_is_not_answered_is_not_waited_for(
    certificates: Certificates, trusting: ssl.SSLContext
) -> None:
    async with Lab(StreamLimits(idle=0.1, linger=0.1), TLS, certificates) as lab:
        sock = socket.create_connection(("127.0.0.1", lab.ports["tls"]))
        with await asyncio.to_thread(trusting.wrap_socket, sock, server_hostname="127.0.0.1"):
            await eventually(lambda: lab.connections == 1)
            await eventually(lambda: lab.connections == 0)


# -- certificates that change --------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def serial(port: int, trusting: ssl.SSLContext) -> str:
    """The serial number of the certificate that is served."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
    found = writer.get_extra_info("peercert")
    writer.close()
    await writer.wait_closed()
    return str(found["serialNumber"])


def install(issued: Issued, folder: Path) -> None:
    """As certificate tools do it: a new file takes the place of the old one."""
    for source, name in ((issued.certificate, "tls.pem"), (issued.key, "tls.key")):
        shutil.copy(source, folder / f".{name}")
        os.replace(folder / f".{name}", folder / name)


async def test_a_renewed_certificate_is_served_without_a_restart(
    authority: Authority, server_files: Issued, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    install(server_files, tmp_path)
    clock = Clock()
    certificates = Certificates(tmp_path / "tls.pem", tmp_path / "tls.key", clock=clock)
    async with Lab(listen=TLS, certificates=certificates) as lab:
        first = await serial(lab.ports["tls"], trusting)
        held, writer = await asyncio.open_connection("127.0.0.1", lab.ports["tls"], ssl=trusting)
        install(authority.issue("renewed", "IP:127.0.0.1"), tmp_path)
        assert await serial(lab.ports["tls"], trusting) == first  # it was looked at less than a second ago
        clock.now += 1.0
        assert await serial(lab.ports["tls"], trusting) != first
        writer.write(options(transport="TLS"))
        async with asyncio.timeout(5):
            assert (await held.readline()).startswith(b"SIP/2.0 200")  # a connection that is open is not disturbed
        writer.close()


async def test_a_broken_renewal_keeps_the_old_certificate_and_says_so_once(
    server_files: Issued, trusting: ssl.SSLContext, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install(server_files, tmp_path)
    clock = Clock()
    certificates = Certificates(tmp_path / "tls.pem", tmp_path / "tls.key", clock=clock)
    async with Lab(listen=TLS, certificates=certificates) as lab:
        first = await serial(lab.ports["tls"], trusting)
        (tmp_path / "tls.pem").write_text("half a cert")
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                clock.now += 1.0
                assert await serial(lab.ports["tls"], trusting) == first
        warnings = [record.getMessage() for record in caplog.records]
        assert len(warnings) == 1 and "the old certificate stays in use" in warnings[0]
        assert f"tls.certificate {tmp_path / 'tls.pem'}" in warnings[0]
        install(server_files, tmp_path)
        clock.now += 1.0
        assert await serial(lab.ports["tls"], trusting) == first


def test_files_that_cannot_be_used_are_named(authority: Authority, server_files: Issued, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(CertificateError, match=r"tls\.certificate .*missing\.pem.*No such file"):
        Certificates(missing)
    other = authority.issue("other", "DNS:x")
    with pytest.raises(CertificateError, match=r"the key is not the certificate's"):
        Certificates(server_files.certificate, other.key)
    with pytest.raises(CertificateError, match=r"tls\.client_ca .*missing\.pem"):
        Certificates(server_files.certificate, server_files.key, missing)
    with pytest.raises(CertificateError, match=r"tls\.client_ca .*missing\.pem"):
        Certificates(None, None, missing)
    with pytest.raises(CertificateError, match=r"tls\.certificate"):
        Certificates(None).server()


def test_the_context_for_our_own_connections_changes_with_the_files_too(
    authority: Authority, server_files: Issued, tmp_path: Path
) -> None:
    install(server_files, tmp_path)
    clock = Clock()
    certificates = Certificates(tmp_path / "tls.pem", tmp_path / "tls.key", authority.certificate, clock=clock)
    first = certificates.client()
    assert first.verify_mode is ssl.CERT_REQUIRED and certificates.client() is first
    install(authority.issue("next", "IP:127.0.0.1"), tmp_path)
    clock.now += 1.0
    assert certificates.client() is not first


def test_a_key_with_a_password_is_refused_and_not_asked_for(server_files: Issued, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    os.system(f"openssl ec -in {server_files.key} -aes128 -passout pass:secret -out {locked} 2>/dev/null")
    with pytest.raises(CertificateError, match="has a password"):
        Certificates(server_files.certificate, locked)


async def test_a_listener_without_a_certificate_says_which_setting_is_missing() -> None:
    with pytest.raises(ListenError, match=r"tls:127\.0\.0\.1:\d+: tls\.certificate is not set"):
        async with Lab(listen=TLS):
            pass


# -- whom a certificate is for -------------------------------------------------------------------------------------

ALTERNATIVES = (("URI", "sip:Example.com"), ("URI", "sip:bob@example.com"), ("DNS", "host.example.com"))
SUBJECT = ((("countryName", "CH"),), (("commonName", "Old.example.com"),))


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        (None, ()),
        ({}, ()),
        ({"subjectAltName": ALTERNATIVES, "subject": SUBJECT}, ("example.com",)),
        ({"subjectAltName": ALTERNATIVES[1:], "subject": SUBJECT}, ("host.example.com",)),
        ({"subjectAltName": (("URI", "https://example.com"), ("DNS", "A.example.com"))}, ("a.example.com",)),
        ({"subjectAltName": (("email", "a@example.com"),), "subject": SUBJECT}, ()),
        ({"subject": SUBJECT}, ("old.example.com",)),
    ],
)
def test_names_by_rfc_5922(certificate: dict[str, object] | None, names: tuple[str, ...]) -> None:
    assert certificate_names(certificate) == names


def test_a_certificate_certifies_its_own_names_only() -> None:
    certificate = {"subjectAltName": (("DNS", "*.example.com"), ("IP Address", "192.0.2.1"))}
    assert certifies(certificate, ["192.0.2.1"])
    assert not certifies(certificate, ["a.example.com"])  # RFC 5922 §7.2: no wildcards
    assert not certifies(None, ["a.example.com"])
    assert not certifies({}, [])
