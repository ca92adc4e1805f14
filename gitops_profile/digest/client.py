"""The client's side: credentials in answer to challenges, as for a NOTIFY that a phone challenges (RFC 3261 §22.2)."""

from collections.abc import Iterable

from .algorithms import compute_response, read_algorithm
from .authenticator import Lookup
from .challenge import Challenge
from .credentials import Credentials


def answer(
    challenges: Iterable[Challenge],
    *,
    username: str,
    lookup: Lookup,
    method: str,
    uri: str,
    nc: int,
    cnonce: str,
    body: bytes | None = None,
) -> Credentials | None:
    """For the topmost challenge that `lookup` has a hash for (RFC 8760 §2.4), or None; `str()` is the header value.

    `lookup(username, realm)` is asked with each challenge's realm, since a hash is good for one realm only. `uri` is
    the Request-URI; `nc` counts the requests with this nonce, from 1; `cnonce` is random and printable. A challenge
    whose qop we do not know is passed over, as is `auth-int` when `body` is None, which is not known yet; one without
    any is answered as RFC 2069 does.
    """
    wanted = ("auth",) if body is None else ("auth", "auth-int")
    for challenge in challenges:
        known = read_algorithm(challenge.algorithm)
        a1_hash = lookup(username, challenge.realm).get(known[0]) if known else None
        qop = next((name for name in wanted if name in challenge.qop), None)
        if known is None or a1_hash is None or (qop is None and challenge.qop):
            continue
        algorithm, session = known
        count = f"{nc:08x}" if qop else None
        response = compute_response(
            algorithm,
            a1_hash,
            session=session,
            nonce=challenge.nonce,
            nc=count,
            cnonce=cnonce,
            qop=qop,
            method=method,
            uri=uri,
            body=body or b"",
        )
        return Credentials(
            username,
            challenge.realm,
            challenge.nonce,
            uri,
            response,
            challenge.algorithm,
            cnonce if qop or session else None,
            challenge.opaque,
            qop,
            count,
        )
    return None
