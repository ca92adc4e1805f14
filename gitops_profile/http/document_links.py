"""URLs under which one phone, or one user, finds documents: a capability that only we can make, and that expires."""

import hmac
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

SIGNATURE_HEX = 32
"""Hex digits of the signature: 128 bits."""
_TOKEN = re.compile(
    r"~(?P<subject>[\x21-\x7e]+)\.(?P<expires>[0-9a-f]{1,12})\.(?P<etag>[0-9A-Za-z]{0,64})\.(?P<sign>[0-9a-f]{32})"
)


@dataclass(frozen=True, slots=True)
class Capability:
    """What a link that is good stands for."""

    subject: str
    """A MAC, or the key of a profile."""
    etag: str | None
    """The version for which alone it is good; None for any."""


class DocumentLinks:
    """Makes and reads the path segment `~SUBJECT.EXPIRES.ETAG.SIGNATURE`: plain ASCII, without a query.

    The slashes of a key are commas in it: many a proxy refuses an encoded slash.
    """

    def __init__(self, secret: bytes) -> None:
        """`secret` is the same for as long as the links are to be good."""
        self._secret = secret

    def segment(self, subject: str, expires: float, etag: str | None = None) -> str:
        """Good until `expires`, Unix seconds, for this subject and, when given, this version only."""
        until = f"{int(expires):x}"
        named = ",".join(quote(part, safe="") for part in subject.split("/"))
        return f"~{named}.{until}.{etag or ''}.{self._signature(subject, until, etag or '')}"

    def read(self, segment: str, now: float) -> Capability | None:
        """What a path segment, as it came, allows now; None when it was not made by us or is over."""
        found = _TOKEN.fullmatch(segment)
        if found is None:
            return None
        subject = "/".join(unquote(part, errors="surrogateescape") for part in found["subject"].split(","))
        right = self._signature(subject, found["expires"], found["etag"])
        if not hmac.compare_digest(right, found["sign"]) or int(found["expires"], 16) < now:
            return None
        return Capability(subject, found["etag"] or None)

    def _signature(self, *parts: str) -> str:
        # No part can hold a NUL in a URL that we make, so no two lists of parts are the same text.
        signed = "\0".join(parts).encode("utf-8", "surrogateescape")
        return hmac.digest(self._secret, signed, "sha256").hex()[:SIGNATURE_HEX]
