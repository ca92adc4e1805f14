"""STUN binding on the SIP port: what a phone behind a NAT keeps its path open with (RFC 5626 §8, RFC 8489).

Bytes in, bytes out. An answer is hardly longer than its question, so nobody is flooded by a forged source.
"""

import ipaddress
import struct
import zlib
from collections.abc import Iterator

MAGIC = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_BINDING_ERROR = 0x0111
_ERROR_CODE = 0x0009
_UNKNOWN_ATTRIBUTES = 0x000A
_XOR_MAPPED_ADDRESS = 0x0020
_FINGERPRINT = 0x8028
_FINGERPRINT_XOR = 0x5354554E
_UNDERSTOOD = frozenset({0x0006, 0x0008, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E})
"""USERNAME, MESSAGE-INTEGRITY, REALM, NONCE and their younger kin: credentials, which nobody is asked for here."""
_OPTIONAL = 0x8000
"""From here on an attribute may be ignored."""
MAX_BYTES = 548
"""A request that fits every path (RFC 8489 §6.1); a longer one is none."""
MAX_UNKNOWN = 8
"""Attributes named in an answer, so that it stays short."""


def answer(data: bytes, source: tuple[str, int]) -> bytes | None:
    """What to send back to `source` for a binding request; None for whatever is malformed, or no request."""
    if not _HEADER.size <= len(data) <= MAX_BYTES:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind != _BINDING_REQUEST or cookie != MAGIC or length != len(data) - _HEADER.size or length % 4:
        return None
    try:
        found = list(_attributes(data))
    except ValueError:
        return None
    unknown = [number for number in found if number < _OPTIONAL and number not in _UNDERSTOOD]
    if unknown:
        kind, content = _BINDING_ERROR, _unknown_attributes(unknown)
    else:
        kind, content = _BINDING_SUCCESS, _mapped_address(source, transaction)
    marked = _FINGERPRINT in found
    head = _HEADER.pack(kind, len(content) + (8 if marked else 0), MAGIC, transaction)
    return head + content + (_attribute(_FINGERPRINT, _fingerprint(head + content)) if marked else b"")


def _attributes(data: bytes) -> Iterator[int]:
    """The number of each. Raises ValueError when they are not whole, or the fingerprint is wrong."""
    at = _HEADER.size
    while at < len(data):
        number, length = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + 4 : at + 4 + length]
        if len(value) != length:
            raise ValueError("an attribute is longer than its message")
        if number == _FINGERPRINT and (value != _fingerprint(data[:at]) or at + 8 != len(data)):
            raise ValueError("the fingerprint is wrong, or not the last attribute")  # RFC 8489 §14.7
        yield number
        at += 4 + length + -length % 4


def _mapped_address(source: tuple[str, int], transaction: bytes) -> bytes:
    """XOR-MAPPED-ADDRESS (RFC 8489 §14.2)."""
    address = ipaddress.ip_address(source[0].partition("%")[0])
    mask = MAGIC.to_bytes(4) + transaction
    hidden = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    family = 1 if address.version == 4 else 2
    return _attribute(_XOR_MAPPED_ADDRESS, struct.pack("!BBH", 0, family, source[1] ^ (MAGIC >> 16)) + hidden)


def _unknown_attributes(numbers: list[int]) -> bytes:
    """420 with the numbers (RFC 8489 §14.8, §14.9)."""
    named = struct.pack(f"!{len(numbers[:MAX_UNKNOWN])}H", *numbers[:MAX_UNKNOWN])
    return _attribute(_ERROR_CODE, struct.pack("!HBB", 0, 4, 20) + b"Unknown Attribute") + _attribute(
        _UNKNOWN_ATTRIBUTES, named
    )


def _attribute(number: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(number, len(value)) + value + bytes(-len(value) % 4)


def _fingerprint(before: bytes) -> bytes:
    """Of a message whose length already counts this attribute (RFC 8489 §14.7)."""
    return (zlib.crc32(before) ^ _FINGERPRINT_XOR).to_bytes(4)
