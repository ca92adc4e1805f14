"""Whether the digest-uri names what the request is for (RFC 8760 §2.6: its text may differ from the Request-URI's)."""

import re

_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_SIP_PORTS = {"sip": "5060", "sips": "5061"}


def same_target(digest_uri: str, request_uri: str) -> bool:
    """Lenient: escapes, the case of scheme and host, URI parameters and a default port do not count.

    For HTTP, the absolute form equals its path and query. What the user part or path means does count.
    """
    return digest_uri == request_uri or _plain(digest_uri) == _plain(request_uri)


def _plain(uri: str) -> tuple[str, ...]:
    scheme, colon, rest = uri.strip(" ").partition(":")
    scheme = scheme.lower()
    if colon and scheme in _SIP_PORTS:
        return _plain_sip(scheme, rest)
    if colon and scheme in ("http", "https") and rest.startswith("//"):
        _, slash, path = rest[2:].partition("/")
        return ("http", _unescaped(slash + path) or "/")
    return ("http", _unescaped(uri))


def _plain_sip(scheme: str, rest: str) -> tuple[str, ...]:
    user, _, host = rest.rpartition("@")
    host = re.split(r"[;?]", host, maxsplit=1)[0].lower()
    name, colon, port = host.rpartition(":")
    if colon and port == _SIP_PORTS[scheme]:  # an IPv6 address ends in a bracket, so this is no part of one
        host = name
    # A dot at its end says that a name is whole, as it is without (RFC 3261 §25.1: hostname).
    return (scheme, _unescaped(user), re.sub(r"\.(?=$|:)", "", host))


def _unescaped(text: str) -> str:
    return _PERCENT.sub(lambda match: chr(int(match[1], 16)), text) if "%" in text else text
