"""The answer to a phone, or a proxy, that challenges a NOTIFY of ours (RFC 3261 §22.2)."""

from gitops_profile.digest import Challenge, DigestSyntaxError, Lookup, answer
from gitops_profile.sip.syntax import Response


def answer_challenge(response: Response, user: str, lookup: Lookup, uri: str, cnonce: str) -> tuple[str, str] | None:
    """The header field that answers a 401 or 407 to our NOTIFY to `uri`; None when `lookup` knows nothing that fits."""
    asked, header = (
        ("www-authenticate", "Authorization")
        if response.status == 401
        else ("proxy-authenticate", "Proxy-Authorization")
    )
    challenges = _challenges(response.headers.all(asked))
    given = answer(challenges, username=user, lookup=lookup, method="NOTIFY", uri=uri, nc=1, cnonce=cnonce)
    return (header, str(given)) if given is not None else None


def _challenges(values: list[str]) -> list[Challenge]:
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
