"""Following the pointer of a NOTIFY to the document (RFC 4483), as a phone does."""

import email
import hashlib
import secrets
import ssl
from dataclasses import dataclass
from email.message import Message

from .credentials import Password
from .http_client import ask_http
from .line import PhoneError

EXTERNAL_BODY = "message/external-body"


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a message/external-body says of a document."""

    url: str
    size: int | None
    """Bytes."""
    hash: str | None
    """SHA-1, in hex (RFC 4483 §5.12)."""

    @classmethod
    def read(cls, content_type: str | None, body: bytes) -> "Pointer | None":
        """Of a NOTIFY's Content-Type and body; None when it is no pointer to a URL."""
        message = email.message_from_bytes(f"Content-Type: {content_type or ''}\n\n".encode() + body)
        url = _parameter(message, "URL")
        if message.get_content_type() != EXTERNAL_BODY or url is None:
            return None
        size, digest = _parameter(message, "size"), _parameter(message, "hash")
        return cls(url, int(size) if size is not None and size.isdecimal() else None, digest)

    def differences(self, body: bytes) -> list[str]:
        """What of the pointer is not so of the document that came."""
        found = []
        if self.size is not None and self.size != len(body):
            found.append(f"its size should be {self.size} bytes and is {len(body)}")
        if self.hash is not None and self.hash.lower() != hashlib.sha1(body, usedforsecurity=False).hexdigest():
            found.append("its hash is not the one that the NOTIFY said")
        return found


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document that came by link."""

    content_type: str
    body: bytes
    differences: tuple[str, ...] = ()
    """What the pointer said of it and is not so, for people."""


async def follow(pointer: Pointer, context: ssl.SSLContext | None = None, password: Password | None = None) -> Fetched:
    """Get the document; `password` is for a digest challenge, `context` for https. Raises PhoneError."""

    def authorize(challenges: list[str], target: str) -> str | None:
        if password is None:
            return None
        return password.answer(challenges, method="GET", uri=target, nc=1, cnonce=secrets.token_hex(8))

    answer = await ask_http("GET", pointer.url, authorize=authorize, context=context)
    if answer.status == 401:
        hint = "the password is not right" if password else "it asks for a password: give it with --password-file"
        raise PhoneError(f"{pointer.url} was not given: {hint}")
    if answer.status != 200:
        raise PhoneError(f"{pointer.url} was not given: status {answer.status}")
    return Fetched(answer.headers.get("Content-Type", ""), answer.body, tuple(pointer.differences(answer.body)))


def _parameter(message: Message, name: str) -> str | None:
    value = message.get_param(name)
    return value if isinstance(value, str) else None
