"""Whether a webhook is from who has the secret, by each vendor's scheme.

The check is begun with the headers, fed with the raw body as it comes, and asked at its end: a body is never held for
it. Of several schemes in one request the strongest is the one that counts; a weaker one does not rescue it.

- Standard Webhooks, and GitLab with a signing token: `webhook-signature: v1,BASE64` over `ID.TIMESTAMP.BODY`.
- Gitea, Forgejo: `X-Forgejo-Signature`, `X-Gitea-Signature` (hex), or GitHub's header, over the body.
- GitHub: `X-Hub-Signature-256: sha256=HEX` over the body.
- GitLab with a secret token: `X-Gitlab-Token`, the secret itself.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Protocol

from .secrets import Secrets

WINDOW = 300
"""Seconds that the clocks of sender and receiver may be apart (Standard Webhooks)."""
MAX_SIGNATURES = 16
"""In one webhook-signature."""
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_ID = re.compile(r"[\x21-\x7e]{1,256}")


class Refused(Exception):
    """The request is not shown to be from who has the secret; the text is a word for the log."""


class Headers(Protocol):
    """The request's headers, names without regard to case."""

    def getall(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """Every value of the header `name`."""
        ...


class SignatureCheck:
    """One webhook's signature being checked. `update` it with all of the body, then `finish`."""

    def __init__(self, provider: str, keys: Sequence[bytes], signatures: Sequence[bytes], prefix: bytes = b"") -> None:
        self.provider = provider
        """`github`, `gitlab`, `gitea` or `generic`."""
        self._signatures = signatures
        self._macs = [hmac.new(key, prefix, hashlib.sha256) for key in keys]
        self._body = hashlib.sha256()
        self.signed_id: str | None = None
        """The delivery's identity where the signature covers it, or where none does better."""
        self.is_shown = False
        """Whether the headers alone have shown that the sender has the secret."""

    def update(self, chunk: bytes) -> None:
        """The next part of the raw body."""
        for mac in self._macs:
            mac.update(chunk)
        self._body.update(chunk)

    def finish(self) -> str:
        """The identity by which a replay is known; raises Refused.

        An identifier in a header that is not signed can be changed by who replays the request, so with GitHub and
        Gitea the identity is the body.
        """
        found = False
        for mac in self._macs:  # all of them, whichever fits
            made = mac.digest()
            for signature in self._signatures:
                found |= hmac.compare_digest(made, signature)
        if not found:
            raise Refused("wrong-signature")
        return self._identity()

    def _identity(self) -> str:
        said = self.signed_id if self.signed_id is not None else self._body.hexdigest()
        return hashlib.sha256(f"{self.provider} {said}".encode()).hexdigest()


class _TokenCheck(SignatureCheck):
    """GitLab's secret token: nothing of the body is signed, and the headers have said it all."""

    def finish(self) -> str:
        return self._identity()


def begin_check(headers: Headers, secrets: Secrets, now: float) -> SignatureCheck:
    """Begin by the headers; `now` in Unix seconds. Raises Refused for what needs no body to be refused."""
    from_gitlab = bool(headers.getall("X-Gitlab-Event", ()))
    if headers.getall("webhook-signature", ()):
        return _begin_standard(headers, secrets, now, "gitlab" if from_gitlab else "generic")
    for name in ("X-Forgejo-Signature", "X-Gitea-Signature"):
        if headers.getall(name, ()):
            return SignatureCheck("gitea", secrets.texts, [_hex(_one(headers, name))])
    if headers.getall("X-Hub-Signature-256", ()):
        algorithm, _, digits = _one(headers, "X-Hub-Signature-256").partition("=")
        if algorithm != "sha256":
            raise Refused("malformed-signature")
        from_gitea = headers.getall("X-Gitea-Event", ()) or headers.getall("X-Forgejo-Event", ())
        return SignatureCheck("gitea" if from_gitea else "github", secrets.texts, [_hex(digits)])
    if headers.getall("X-Gitlab-Token", ()):
        return _begin_token(headers, secrets)
    raise Refused("no-signature")


def _begin_standard(headers: Headers, secrets: Secrets, now: float, provider: str) -> SignatureCheck:
    identity, stamp = _one(headers, "webhook-id"), _one(headers, "webhook-timestamp")
    if not _ID.fullmatch(identity) or not re.fullmatch("[0-9]{1,15}", stamp):
        raise Refused("malformed-signature")
    if abs(now - int(stamp)) > WINDOW:
        raise Refused("old-timestamp" if int(stamp) < now else "future-timestamp")
    signatures = []
    for part in _one(headers, "webhook-signature").split(" ")[:MAX_SIGNATURES]:
        version, _, coded = part.partition(",")
        if version == "v1":
            signatures.append(_base64(coded))
    check = SignatureCheck(provider, secrets.keys, signatures, f"{identity}.{stamp}.".encode())
    check.signed_id = identity
    return check


def _begin_token(headers: Headers, secrets: Secrets) -> SignatureCheck:
    token = _one(headers, "X-Gitlab-Token").encode("utf-8", "surrogateescape")
    found = False
    for secret in secrets.texts:
        # Of one length, so that the time does not tell the secret's.
        found |= hmac.compare_digest(hashlib.sha256(token).digest(), hashlib.sha256(secret).digest())
    if not found:
        raise Refused("wrong-signature")
    check = _TokenCheck("gitlab", (), ())
    check.is_shown = True
    # Who has the token can make anything, so an identifier that is not signed is as good as any.
    named = [*headers.getall("Idempotency-Key", ()), *headers.getall("X-Gitlab-Event-UUID", ())]
    check.signed_id = named[0][:256] if named else None
    return check


def _one(headers: Headers, name: str) -> str:
    """The value of a header that must be there once."""
    values = headers.getall(name, ())
    if len(values) != 1:
        raise Refused("malformed-signature")
    return values[0].strip()


def _hex(digits: str) -> bytes:
    if not _HEX.fullmatch(digits):
        raise Refused("malformed-signature")
    return bytes.fromhex(digits)


def _base64(coded: str) -> bytes:
    try:
        return base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("malformed-signature") from None
