"""Accepting: certificates that change, handshakes that do not come to an end, and no files for any more."""

import asyncio
import errno
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from gitops_profile.http import (
    HTTPLimits,
    HTTPListener,
)
from gitops_profile.transport import Certificates
from tests.transport.authority import Authority, Issued


def trusting() -> ssl.SSLContext:
    """Takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def served_certificate(host: str, port: int) -> bytes:
    """The fingerprint of what a client is shown."""
    _, writer = await asyncio.open_connection(host, port, ssl=trusting())
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return hashlib.sha256(shown).digest()


async def test_a_new_certificate_holds_from_the_next_connection_on(authority: Authority, tmp_path: Path) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    now = [0.0]
    for issued, suffix in ((first.certificate, "pem"), (first.key, "key")):
        (tmp_path / f"server.{suffix}").write_bytes(issued.read_bytes())
    certificates = Certificates(tmp_path / "server.pem", tmp_path / "server.key", clock=lambda: now[0])
    listener = HTTPListener([])
    address = await listener.listen("127.0.0.1", 0, certificates.server)
    before = await served_certificate(*address)
    for issued, suffix in ((second.certificate, "pem"), (second.key, "key")):
        (tmp_path / f"server.{suffix}").write_bytes(issued.read_bytes())
    now[0] = 5.0
    after = await served_certificate(*address)
    await listener.close()
    der = [hashlib.sha256(ssl.PEM_cert_to_DER_cert(i.certificate.read_text())).digest() for i in (first, second)]
    assert [before, after] == der


@pytest.fixture
async def secure(issued: Issued) -> AsyncIterator[tuple[str, int]]:
    """An https listener with little room and time."""
    listener = HTTPListener([], HTTPLimits(connections=2, source_share=1.0, head_seconds=0.3))
    yield await listener.listen("127.0.0.1", 0, Certificates(issued.certificate, issued.key).server)
    await listener.close()


async def test_handshakes_count_as_connections_and_have_their_time(secure: tuple[str, int]) -> None:
    waiting = [await asyncio.open_connection(*secure) for _ in range(2)]
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*secure)
        assert await reader.read() == b""  # one too many: closed at once, without a handshake
        assert not any(other.at_eof() for other, _ in waiting)
        writer.close()
        assert [await reader.read() for reader, _ in waiting] == [b"", b""]  # they did not begin in time
    for _, other in waiting:
        other.close()
    assert await served_certificate(*secure)  # and the places are free again


async def test_what_is_no_tls_ends_the_connection_and_nothing_else(secure: tuple[str, int]) -> None:
    for _ in range(5):
        reader, writer = await asyncio.open_connection(*secure)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
    assert await served_certificate(*secure)


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"no http\r\n\r\n", b"GET / HTT"]
)
async def test_silence_has_its_time_still_after_a_connection_has_ended(
    secure: tuple[str, int], request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(5):
        for sent in (request_, b"", b""):  # each is over when a sweep, or what came before, has ended it
            reader, writer = await asyncio.open_connection(*secure, ssl=trusting())
            writer.write(sent)
            await reader.read()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_a_process_without_file_descriptors_says_so_and_accepts_again(
    secure: bool, issued: Issued, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for each try: asyncio's own server wrote 37 MB of them in five seconds."""
    monkeypatch.setattr("gitops_profile.http.accept.PAUSE", 0.01)
    accept, left = socket.socket.accept, [3]

    def failing(self: socket.socket) -> tuple[socket.socket, object]:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(self)

    listener = HTTPListener([])
    context = Certificates(issued.certificate, issued.key).server if secure else None
    host, port = await listener.listen("127.0.0.1", 0, context)
    monkeypatch.setattr(socket.socket, "accept", failing)
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(host, port, ssl=trusting() if secure else None)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 404 Not Found\r\n"
    writer.close()
    await listener.close()
    assert caplog.messages == ["no http connection can be accepted: Too many open files"] * 3
