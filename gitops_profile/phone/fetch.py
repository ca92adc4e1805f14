"""Following the pointer of a NOTIFY to the document (RFC 4483), as a phone does."""

import email
import hashlib
import secrets
import ssl
from dataclasses import dataclass
from email.message import Message

import aiohttp

from .credentials import Password
from .line import PhoneError

EXTERNAL_BODY = "message/external-body"
MAX_BYTES = 16 << 20
SECONDS = 30.0
"""For a fetch, the challenge included."""


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
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
            answer = await _get(session, pointer, context, {})
            if answer.status == 401 and password is not None:
                cnonce = secrets.token_hex(8)
                given = password.answer(answer.challenges, method="GET", uri=answer.target, nc=1, cnonce=cnonce)
                if given is not None:
                    answer = await _get(session, pointer, context, {"Authorization": given})
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise PhoneError(f"{pointer.url} cannot be fetched: {str(error) or 'no answer in time'}") from error
    if answer.status == 401:
        hint = "the password is not right" if password else "it asks for a password: give it with --password-file"
        raise PhoneError(f"{pointer.url} was not given: {hint}")
    if answer.document is None:
        raise PhoneError(f"{pointer.url} was not given: status {answer.status}")
    return answer.document


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    target: str
    """As it stood in the request line."""
    challenges: list[str]
    document: Fetched | None


async def _get(
    session: aiohttp.ClientSession, pointer: Pointer, context: ssl.SSLContext | None, headers: dict[str, str]
) -> _Answer:
    tls = True if context is None else context
    async with session.get(pointer.url, headers=headers, ssl=tls, allow_redirects=False) as response:
        document = None
        if response.status == 200:
            body = await _read(response.content)
            differences = tuple(pointer.differences(body))
            document = Fetched(response.headers.get("Content-Type", ""), body, differences)
        challenges = response.headers.getall("WWW-Authenticate", [])
        return _Answer(response.status, response.url.raw_path_qs, challenges, document)


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The whole body; raises ValueError when it is too large."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
    return bytes(body)


def _parameter(message: Message, name: str) -> str | None:
    value = message.get_param(name)
    return value if isinstance(value, str) else None
