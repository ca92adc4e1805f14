"""The URL of a document's version: a capability that only we can make, that expires, and that no restart ends."""

import hmac
import time
from collections.abc import Callable
from urllib.parse import quote, unquote_to_bytes, urlsplit

from gitops_profile.presentity import ProfileKey

SIGNATURE_HEX = 32
"""Hex digits of the signature: 128 bits."""
LIFE = 30 * 86400
"""Seconds that a URL is good at least, and twice that at most: all that are made in one such time end together, so that
what is rendered for many stays the same. A phone is given a newer one with each refresh of its subscription."""


class ContentLinks:
    """URLs as `<public_url>profile/user/example.com/alice.<etag>.<expires>.<signature>`, and what they mean.

    The key is there for people who read access logs. Plain ASCII, without a query, and whatever the user's name is, no
    path segment is `.` or `..`: the HTTP clients of phones, and proxies on the way, do less harm to such a URL.
    """

    def __init__(self, public_url: str, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        """`public_url` ends in a slash; `secret` is the same for as long as the URLs are to be good.

        `clock` is in Unix seconds.
        """
        self._clock = clock
        self._base = f"{public_url}profile/"
        self._secret = secret
        self.prefix = urlsplit(self._base).path
        """Of the path of every URL."""

    def url(self, key: ProfileKey, etag: str) -> str:
        """Where this version of the profile `key` is."""
        parts = [key.profile_type.value, key.domain, *([key.name] if key.name else [])]
        path = "/".join(quote(part, safe="") for part in parts)
        expires = f"{(self.age() + 2) * LIFE:x}"
        return f"{self._base}{path}.{etag}.{expires}.{self._signature(str(key), etag, expires)}"

    def age(self) -> int:
        """In which LIFE we are: URLs that were made in an earlier one are to be made anew."""
        return int(self._clock() // LIFE)

    def read(self, path: str) -> tuple[str, str] | None:
        """The key, as text, and the etag of a URL's path as it came; None when the URL was not made by us.

        Of one that is over the etag is empty, which is no version's.

        Every path costs the same work, and nothing is looked up before the signature is known to be right: an answer
        says nothing about who is provisioned (invariant I10).
        """
        rest = path.removeprefix(self.prefix)
        text = unquote_to_bytes(rest).decode("utf-8", "surrogateescape")
        named, _, signature = text.rpartition(".")
        named, _, expires = named.rpartition(".")
        key, _, etag = named.rpartition(".")
        given = signature.encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(self._signature(key, etag, expires).encode(), given):
            return None
        return key, etag if int(expires, 16) >= self._clock() else ""

    def _signature(self, key: str, etag: str, expires: str) -> str:
        # None can hold a NUL in a URL that we make, so no two of them are the same text.
        signed = f"{key}\0{etag}\0{expires}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._secret, signed, "sha256").hex()[:SIGNATURE_HEX]
