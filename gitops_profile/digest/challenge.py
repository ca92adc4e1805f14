"""WWW-Authenticate and Proxy-Authenticate (RFC 7616 §3.3)."""

from collections.abc import Iterable
from dataclasses import dataclass

from .parameters import DigestSyntaxError, quote, read_parameters, token


@dataclass(frozen=True, slots=True)
class Challenge:
    """One digest challenge; in SIP one header line (RFC 3261 §7.3.1)."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    """As sent; a name we do not know is a challenge we cannot answer."""
    qop: tuple[str, ...] = ()
    """In lower case; empty means RFC 2069."""
    stale: bool = False
    """The password was right, the nonce too old: try again without asking anybody."""
    opaque: str | None = None
    domain: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Challenge | None":
        """A header value; None for a scheme other than Digest. Raises DigestSyntaxError."""
        parameters = read_parameters(text)
        if parameters is None:
            return None
        if "realm" not in parameters or "nonce" not in parameters:
            raise DigestSyntaxError("a challenge without realm or nonce")
        return cls(
            parameters["realm"],
            parameters["nonce"],
            parameters.get("algorithm", "MD5"),
            tuple(name for part in parameters.get("qop", "").split(",") if (name := part.strip(" \t").lower())),
            parameters.get("stale", "").lower() == "true",
            parameters.get("opaque"),
            parameters.get("domain"),
        )

    def __str__(self) -> str:
        """The header value. Raises DigestSyntaxError when a value holds a control character."""
        parts = [f"realm={quote(self.realm)}"]
        if self.domain is not None:
            parts.append(f"domain={quote(self.domain)}")
        if self.qop:
            parts.append(f"qop={quote(','.join(self.qop))}")
        parts.append(f"nonce={quote(self.nonce)}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        parts.append(f"algorithm={token(self.algorithm)}")
        return "Digest " + ", ".join(parts)


def read_challenges(values: Iterable[str]) -> list[Challenge]:
    """The digest challenges among header values; what cannot be read is as if it were not there."""
    found = []
    for value in values:
        try:
            challenge = Challenge.parse(value)
        except DigestSyntaxError:
            continue
        if challenge is not None:
            found.append(challenge)
    return found
