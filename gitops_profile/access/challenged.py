"""The answer to a phone, or a proxy, that challenges a NOTIFY of ours (RFC 3261 §22.2)."""

from gitops_profile.digest import Lookup, answer, read_challenges
from gitops_profile.sip.syntax import Response


def answer_challenge(
    response: Response, user: str, lookup: Lookup, uri: str, cnonce: str, body: bytes | None = None
) -> tuple[str, str] | None:
    """The header field that answers a 401 or 407 to our NOTIFY to `uri`; None when `lookup` knows nothing that fits.

    Without its `body` no `auth-int` is answered.
    """
    asked, header = (
        ("www-authenticate", "Authorization")
        if response.status == 401
        else ("proxy-authenticate", "Proxy-Authorization")
    )
    challenges = read_challenges(response.headers.all(asked))
    given = answer(challenges, username=user, lookup=lookup, method="NOTIFY", uri=uri, nc=1, cnonce=cnonce, body=body)
    return (header, str(given)) if given is not None else None
