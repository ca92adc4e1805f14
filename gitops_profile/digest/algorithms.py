"""The hash algorithms of digest, and the two computations of RFC 7616 §3.4: A1 and the response."""

import hashlib
from collections.abc import Callable, Collection

ALGORITHMS = ("MD5", "SHA-256", "SHA-512-256")
"""What RFC 8760 §2.7 lists; each also as `-sess`. In the order of how many phones know it (stacks.md)."""

HEX_DIGITS = {"MD5": 32, "SHA-256": 64, "SHA-512-256": 64}
"""Length of a hash as text (RFC 8760 §2.2)."""


def _md5(data: bytes) -> str:
    # Not for security: so a machine in FIPS mode still serves the phones that know nothing else.
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha_256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha_512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data).hexdigest()


_HASH: dict[str, Callable[[bytes], str]] = {"MD5": _md5, "SHA-256": _sha_256, "SHA-512-256": _sha_512_256}
_BY_NAME = {f"{name}{tail}".lower(): (name, bool(tail)) for name in ALGORITHMS for tail in ("", "-sess")}


def read_algorithm(name: str | None) -> tuple[str, bool] | None:
    """One of ALGORITHMS, and whether it is the `-sess` form; None for one that we do not know.

    Without a name it is MD5 (RFC 7616 §3.3). Case does not count.
    """
    return ("MD5", False) if name is None else _BY_NAME.get(name.lower())


def a1(algorithm: str, user: str, realm: str, password: str) -> str:
    """H(user:realm:password) in hex (RFC 7616 §3.4.2): all that is ever stored of a password.

    Raises KeyError for what is not in ALGORITHMS.
    """
    return _HASH[algorithm](encode(f"{user}:{realm}:{password}"))


def encode(text: str) -> bytes:
    """The bytes that were on the wire: SIP messages are read with surrogateescape."""
    return text.encode("utf-8", "surrogateescape")


def compute_response(
    algorithm: str,
    a1_hash: str,
    *,
    session: bool,
    nonce: str,
    nc: str | None,
    cnonce: str | None,
    qop: str | None,
    method: str,
    uri: str,
    body: bytes = b"",
) -> str:
    """The `response` in hex (RFC 7616 §3.4.1-3.4.3); without `qop` that of RFC 2069.

    `qop` is None, `auth` or `auth-int`; the latter takes in `body`, and an empty one has a hash too (RFC 8760 §2.6).
    """
    hashed = _HASH[algorithm]
    if session:
        a1_hash = hashed(encode(f"{a1_hash}:{nonce}:{cnonce or ''}"))
    a2 = f"{method}:{uri}:{hashed(body)}" if qop == "auth-int" else f"{method}:{uri}"
    a2_hash = hashed(encode(a2))
    if qop is None:
        return hashed(encode(f"{a1_hash}:{nonce}:{a2_hash}"))
    return hashed(encode(f"{a1_hash}:{nonce}:{nc or ''}:{cnonce or ''}:{qop}:{a2_hash}"))


def offer(configured: tuple[str, ...], user_has: Collection[str]) -> tuple[str, ...]:
    """The algorithms to challenge with, most preferred first (RFC 8760 §2.3): one header for each.

    A list of several is offered as it stands. A single one gives way when the user that the request names has no hash
    for it but has another (stacks.md): else that phone could never succeed, and a second challenge would break others.
    `user_has` is empty for a user who is unknown or not named.
    """
    if len(configured) != 1 or not user_has:
        return configured
    known = read_algorithm(configured[0])
    if known is None or known[0] in user_has:
        return configured
    return next(((name,) for name in ALGORITHMS if name in user_has), configured)
