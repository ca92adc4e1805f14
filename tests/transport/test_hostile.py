"""Peers that send anything: the log has no traceback, nobody keeps a place, and the next peer is served."""

import asyncio
import logging
import random
import socket
import ssl
import struct
from collections.abc import Callable

import pytest

from gitops_profile.transport import Certificates, StreamLimits
from tests.transport.lab import Lab, eventually, options, talk

EVERYWHERE = tuple(f"{transport}:127.0.0.1:0" for transport in ("udp", "tcp", "tls", "ws", "wss"))
LIMITS = StreamLimits(partial=0.2, handshake=0.2, linger=0.2)
PEERS = 60
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)
Script = Callable[[random.Random], list[bytes]]


def frame(kind: int, data: bytes, *, last: bool = True, masked: bool = True) -> bytes:
    """A WebSocket frame, the mask zero."""
    first, mask = (0x80 if last else 0) | kind, 0x80 if masked else 0
    if len(data) < 126:
        head = bytes([first, mask | len(data)])
    elif len(data) < 65536:
        head = bytes([first, mask | 126]) + len(data).to_bytes(2, "big")
    else:
        head = bytes([first, mask | 127]) + len(data).to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + data


def websocket(choice: random.Random) -> list[bytes]:
    """A handshake, whole or not, and frames in any order."""
    frames = [
        choice.randbytes(choice.randrange(200)),
        frame(9, b"ping"),
        frame(9, b"p" * 126),  # too long for a Ping
        frame(10, b""),
        *(frame(8, reason) for reason in (b"", b"\x03\xe8", b"\x01", b"\xff\xff bye")),
        frame(1, b"\xff\xfe"),  # no text
        frame(2, options(transport="WS")),
        frame(0, b"of nothing", last=choice.random() < 0.5),
        frame(1, b"OPTIONS", last=False),
        frame(2, b"unmasked", masked=False),
        frame(2, b"x" * 100_000),
        frame(7, b"reserved"),
    ]
    head = UPGRADE if choice.random() < 0.8 else UPGRADE[: choice.randrange(len(UPGRADE))]
    return [head, *choice.choices(frames, k=choice.randrange(6))]


def stream(choice: random.Random) -> list[bytes]:
    """Messages, parts of some, and what is none."""
    pieces = [
        choice.randbytes(choice.randrange(200)),
        b"\r\n\r\n",
        b"\r",
        options(transport="TCP"),
        options(transport="TCP")[: choice.randrange(100)],
        options().replace(b"Content-Length: 0", b"Content-Length: 100000000"),
        b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00",
        b"A" * 40_000,
    ]
    return choice.choices(pieces, k=choice.randrange(6))


async def visit(port: int, pieces: list[bytes], context: ssl.SSLContext | None, choice: random.Random) -> None:
    """Connect, send, and go in one of the ways in which peers go."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    except OSError:
        return
    try:
        writer.writelines(pieces)
        if choice.random() < 0.5:
            await asyncio.sleep(0.01)
        if choice.random() < 0.5:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
            writer.transport.abort()
            return
        if choice.random() < 0.2 and context is not None:
            writer.get_extra_info("socket")._sock.send(b"no TLS record")
        async with asyncio.timeout(1):
            await reader.read()
    except (OSError, AttributeError):
        return
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    ("transport", "script"),
    [("tcp", stream), ("tls", stream), ("tls", websocket), ("ws", websocket), ("wss", websocket), ("ws", stream)],
)
@pytest.mark.parametrize("secure", [True, False], ids=["its protocol", "plain bytes"])
async def test_anything_leaves_no_traceback_and_no_connection(
    certificates: Certificates,
    trusting: ssl.SSLContext,
    caplog: pytest.LogCaptureFixture,
    transport: str,
    script: Script,
    secure: bool,
) -> None:
    choice = random.Random(f"{transport} {script.__name__} {secure}")
    context = trusting if transport in ("tls", "wss") and secure else None
    async with Lab(LIMITS, EVERYWHERE, certificates) as lab:
        port = lab.ports[transport]
        await asyncio.gather(*(visit(port, script(choice), context, choice) for _ in range(PEERS)))
        await eventually(lambda: lab.connections == 0)
        assert (await talk(lab.ports["tcp"], options("after"))).startswith(b"SIP/2.0 200")
    errors = [record for record in caplog.records if record.levelno > logging.WARNING or record.exc_info]
    assert errors == []
