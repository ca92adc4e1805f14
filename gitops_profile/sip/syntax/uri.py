"""sip: and sips: URIs (RFC 3261 §19.1)."""

import re
from functools import lru_cache

import msgspec

from .errors import SIPSyntaxError
from .grammar import HOST, MAX_PORT, parse_parameters, unescape

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_HOST_PORT = re.compile(rf"({HOST})(?::([0-9]{{1,5}})\.?)?(?=[;?]|$)")
# A URI may hold what the grammar forbids (`MAC=…`, phones.md 3), but nothing that ends a URI or a header: a Contact
# becomes the Request-URI of our NOTIFY.
_ENDS_URI = re.compile(r"[\s<>\"\x00-\x1f\x7f]")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
SHORT = 256
"""Characters of a URI that is remembered: one SUBSCRIBE reads each of its URIs two or three times (2.2 µs → 0.1)."""


class URI(msgspec.Struct, frozen=True, gc=False):
    """A SIP URI; `user` keeps its escapes, `host` is in lower case without brackets removed.

    A value may be shared by all who parsed the same text: `parameters` is not to be changed.
    """

    scheme: str
    user: str | None
    host: str
    port: int | None
    parameters: dict[str, str | None]
    headers: str

    @classmethod
    def parse(cls, text: str) -> "URI":
        """Raises SIPSyntaxError with status 416 for another scheme, 400 for a malformed URI."""
        return _read_short(text) if len(text) <= SHORT else _read(text)

    def but(self, *, parameters: dict[str, str | None] | None = None, headers: str | None = None) -> "URI":
        """The same with other ones of these."""
        return URI(
            self.scheme,
            self.user,
            self.host,
            self.port,
            self.parameters if parameters is None else parameters,
            self.headers if headers is None else headers,
        )

    @property
    def decoded_user(self) -> str | None:
        """The user part without escapes, without a password; None when there is none."""
        if self.user is None:
            return None
        name, colon, _ = self.user.partition(":")
        # `MAC:00135E…` is a device identifier with a colon that should have been escaped, not a user and password; and
        # so is a MAC that is written with colons.
        if colon and (name.lower() in ("mac", "urn") or _MAC.fullmatch(self.user)):
            name = self.user
        return unescape(name)

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user is not None else ""
        port = f":{self.port}" if self.port is not None else ""
        parameters = "".join(f";{k}" if v is None else f";{k}={v}" for k, v in self.parameters.items())
        return f"{self.scheme}:{user}{self.host}{port}{parameters}" + (f"?{self.headers}" if self.headers else "")


def _read(text: str) -> URI:
    match = _SCHEME.match(text)
    if match is None:
        raise SIPSyntaxError("URI without a scheme")
    scheme = match[1].lower()
    if scheme not in ("sip", "sips"):
        raise SIPSyntaxError("Unsupported URI Scheme", status=416)
    if _ENDS_URI.search(text):
        raise SIPSyntaxError("forbidden character in a URI")
    rest = text[match.end() :]
    user: str | None = None
    before, at, after = rest.rpartition("@")
    if at:
        user, rest = before, after
        if not user or user[0] == ":":
            raise SIPSyntaxError("malformed user part in a URI")
    host_port = _HOST_PORT.match(rest)
    if host_port is None:
        raise SIPSyntaxError("malformed host in a URI")
    port = int(host_port[2]) if host_port[2] else None
    if port is not None and not 0 < port <= MAX_PORT:
        raise SIPSyntaxError("impossible port in a URI")
    parameters, _, headers = rest[host_port.end() :].partition("?")
    return URI(scheme, user, host_port[1].lower(), port, parse_parameters(parameters), headers)


_read_short = lru_cache(maxsize=4096)(_read)
