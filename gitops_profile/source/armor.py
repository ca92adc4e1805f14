"""The text forms of signatures and keys, and the little of their binary forms that must be known (pure).

A signature is decoded here and handed on anew, so that the program that verifies it sees what was looked at, and
nothing before, between or behind it.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

PGP_SIGNATURE, SSH_SIGNATURE = "PGP SIGNATURE", "SSH SIGNATURE"
SIGNATURE_PACKET, PUBLIC_KEY_PACKET, SECRET_KEY_PACKET = 2, 6, 5
MAX_SIGNATURE = 65536
_ARMOR_HEADER = re.compile(rb"[A-Za-z]+: .*")
_WIDTH = 70


class BadArmor(ValueError):
    """The text is no such block; the message says why."""


def label_of(text: bytes) -> str:
    """What kind of block a text begins with, such as `PGP SIGNATURE`; "" for none."""
    match = re.match(rb"\s*-----BEGIN ([A-Z ]+)-----\r?\n", text)
    return match[1].decode() if match else ""


def dearmor(text: bytes, label: str) -> bytes:
    """What one block says, and nothing is beside it; raises BadArmor."""
    if len(text) > MAX_SIGNATURE:
        raise BadArmor(f"it is longer than {MAX_SIGNATURE} bytes")
    return _decode(text, label)


def dearmor_all(text: bytes, label: str) -> bytes:
    """What all blocks say, one after the other, with other text between them; raises BadArmor."""
    begin, end = f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()
    blocks = re.findall(b"^" + begin + rb".*?^" + end, text, re.MULTILINE | re.DOTALL)
    if not blocks or len(blocks) != text.count(begin):
        raise BadArmor(f"a block {begin.decode()} has no end")
    return b"".join(_decode(block, label) for block in blocks)


def enarmor_ssh(data: bytes) -> bytes:
    """A signature as ssh-keygen reads it."""
    text = base64.b64encode(data)
    lines = [text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)]
    return b"\n".join([b"-----BEGIN SSH SIGNATURE-----", *lines, b"-----END SSH SIGNATURE-----", b""])


def packet(data: bytes) -> tuple[int, int]:
    """The tag of the first OpenPGP packet, and its length with its header (RFC 9580 §4.2); raises BadArmor."""
    try:
        first, second = data[0], data[1]
        if not first & 0x80:
            raise BadArmor("it is not OpenPGP")
        if not first & 0x40:  # the old format
            size = {0: 1, 1: 2, 2: 4}.get(first & 3, 0)
            start, length = 1 + size, int.from_bytes(data[1 : 1 + size], "big")
        elif second < 192:
            size, start, length = 1, 2, second
        elif second < 224:
            size, start, length = 1, 3, ((second - 192) << 8) + data[2] + 192
        else:
            size, start, length = (1 if second == 255 else 0), 6, int.from_bytes(data[2:6], "big")
    except IndexError:
        raise BadArmor("it is cut off") from None
    if not size:
        raise BadArmor("its length is not known")
    return (first & 0x3F) if first & 0x40 else (first >> 2) & 0xF, start + length


def one_pgp_signature(data: bytes) -> bytes:
    """The data, when it is one signature and nothing else, such as a second one or a compressed packet.

    Raises BadArmor.
    """
    tag, length = packet(data)
    if tag != SIGNATURE_PACKET or length != len(data):
        raise BadArmor("it is not one signature and nothing else")
    return data


@dataclass(frozen=True, slots=True)
class SSHSignature:
    """The outer part of an SSH signature (openssh's PROTOCOL.sshsig)."""

    public_key: bytes
    namespace: bytes

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen writes it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.public_key).digest()).decode().rstrip("=")


def parse_ssh_signature(data: bytes) -> SSHSignature:
    """Raises BadArmor."""
    if not data.startswith(b"SSHSIG\0\0\0\1"):
        raise BadArmor("it is no SSH signature of a known version")
    fields, rest = [], data[10:]
    for _ in range(5):  # key, namespace, reserved, hash, signature
        length = int.from_bytes(rest[:4], "big")
        if len(rest) < 4 + length:
            raise BadArmor("it is cut off")
        fields.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    if rest:
        raise BadArmor("something follows it")
    return SSHSignature(fields[0], fields[1])


def _decode(text: bytes, label: str) -> bytes:
    lines = [line.rstrip() for line in text.strip().split(b"\n")]
    begin, end = f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()
    if len(lines) < 3 or lines[0] != begin or lines[-1] != end:
        raise BadArmor(f"it is not one block of {label} and nothing else")
    inner = lines[1:-1]
    while inner and (not inner[0] or _ARMOR_HEADER.fullmatch(inner[0])):
        del inner[0]
    if inner and re.fullmatch(rb"=[A-Za-z0-9+/]{4}", inner[-1]):
        del inner[-1]  # a checksum against damage, not against forgery (RFC 9580 §6.1)
    try:
        return base64.b64decode(b"".join(inner), validate=True)
    except binascii.Error as error:
        raise BadArmor(f"it is not base64: {error}") from error
