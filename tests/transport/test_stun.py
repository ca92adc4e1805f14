"""STUN binding: the published vectors, a client that is not ours, and what is malformed."""

import asyncio
import socket
import struct

import aioice.stun
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.transport import stun
from tests.transport.lab import Lab, options

# RFC 5769 §2.1 to 2.3: a request with credentials and PRIORITY, and the responses for 192.0.2.1 and
# 2001:db8:1234:5678:11:2233:4455:6677, port 32853.
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b1"
    "51263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RESPONSE_V4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599"
    "fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE_V6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5"
    "bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
TRANSACTION = REQUEST[8:20]
PRIORITY = 0x0024


def request(attributes: bytes = b"", *, kind: int = 1, transaction: bytes = TRANSACTION) -> bytes:
    return struct.pack("!HHI", kind, len(attributes), stun.MAGIC) + transaction + attributes


def attribute(message: bytes, number: int) -> bytes:
    """As the vectors have it, cut out by another parser than ours."""
    at = 20
    while at < len(message):
        found, length = struct.unpack_from("!HH", message, at)
        if found == number:
            return message[at : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4
    raise AssertionError(f"no attribute {number:#x}")


@pytest.mark.parametrize(
    ("source", "vector"),
    [(("192.0.2.1", 32853), RESPONSE_V4), (("2001:db8:1234:5678:11:2233:4455:6677", 32853), RESPONSE_V6)],
)
def test_the_address_is_the_one_of_the_published_vectors(source: tuple[str, int], vector: bytes) -> None:
    got = stun.answer(request(), source) or b""
    assert got == struct.pack("!HHI", 0x0101, len(got) - 20, stun.MAGIC) + TRANSACTION + attribute(vector, 0x0020)


def test_an_attribute_that_must_be_understood_is_refused_with_420_and_the_fingerprint_is_answered() -> None:
    got = stun.answer(REQUEST, ("192.0.2.1", 32853))
    assert got is not None
    parsed = aioice.stun.parse_message(got)  # which checks the fingerprint
    assert parsed.message_class is aioice.stun.Class.ERROR
    assert parsed.attributes["ERROR-CODE"] == (420, "Unknown Attribute")
    assert attribute(got, 0x000A) == struct.pack("!HHH", 0x000A, 2, PRIORITY)
    assert len(got) <= len(REQUEST)


def test_credentials_are_ignored_and_not_refused() -> None:
    data = request(attribute(REQUEST, 0x0006) + bytes(3) + attribute(REQUEST, 0x0008))
    got = stun.answer(data, ("192.0.2.1", 1))
    assert got is not None and got.startswith(b"\x01\x01")


def test_a_fingerprint_that_is_wrong_is_ignored() -> None:
    assert stun.answer(REQUEST[:-1] + b"\0", ("192.0.2.1", 1)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        request()[:19],
        request() + b"\0\0\0\0",
        request(b"\x80\x22\x00\x08abcd"),
        request(b"\x80\x22\x00"),
        request(kind=0x0011),  # an indication
        request(kind=0x0101),  # a response, which must not start a game of answers
        request(kind=0x0003),  # no binding
        request(bytes.fromhex("80220004") + b"abcd") + b"x",
        b"\x00\x01\x00\x00\x00\x00\x00\x00" + TRANSACTION,  # RFC 3489: no cookie
        request(b"\x80\x22\x02\x58" + bytes(600)),  # longer than any request
    ],
)
def test_what_is_malformed_is_ignored(data: bytes) -> None:
    assert stun.answer(data, ("192.0.2.1", 1)) is None


@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_get_an_answer_or_none(data: bytes, framed: bool) -> None:
    if framed:
        data = request(data[: len(data) // 4 * 4])
    got = stun.answer(data, ("192.0.2.1", 5060))
    assert got is None or (got[:2] in (b"\x01\x01", b"\x01\x11") and len(got) <= 2 * len(data) + 60)


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
async def test_an_independent_client_learns_its_address_on_the_sip_port(
    lab: Lab, host: str, family: socket.AddressFamily
) -> None:
    """Checklist row 33: And SIP goes on beside it, on the same socket."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        server = (host, lab.port if family == socket.AF_INET else lab.port6)
        asked = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST)
        asked.add_fingerprint()
        await loop.sock_sendto(sock, bytes(asked), server)
        async with asyncio.timeout(5):
            got = aioice.stun.parse_message(await loop.sock_recv(sock, 4096))
        assert got.transaction_id == asked.transaction_id and got.message_class is aioice.stun.Class.RESPONSE
        assert got.attributes["XOR-MAPPED-ADDRESS"] == sock.getsockname()[:2]
        assert "FINGERPRINT" in got.attributes
        await loop.sock_sendto(sock, options(transport="UDP"), server)
        async with asyncio.timeout(5):
            assert (await loop.sock_recv(sock, 4096)).startswith(b"SIP/2.0 200")
    assert lab.happened == []
