"""Challenges, and the check of what comes back (RFC 7616 §3.3-3.4, RFC 8760 §2, RFC 3261 §22.4)."""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .algorithms import ALGORITHMS, HEX_DIGITS, compute_response, offer, read_algorithm
from .challenge import Challenge
from .credentials import Credentials
from .nonce import RUN_BYTES, Nonce, Nonces
from .target import same_target

Lookup = Callable[[str, str], Mapping[str, str]]
"""(user, realm) → algorithm: A1 in hex; empty for a user who is not known."""

NONCE_LIFE = 300.0
"""Seconds. A phone that refreshes later is told `stale` and tries again by itself."""
MAX_NONCES = 100_000
"""Nonces in use that are remembered, about 200 bytes each."""
_NC = re.compile(r"[0-9A-Fa-f]{1,8}")


class Verdict(StrEnum):
    """How a check ended."""

    ACCEPTED = "accepted"
    STALE = "stale"
    """The nonce is none of ours, or the answer is right and the nonce too old."""
    REPLAYED = "replayed"
    """The answer is right and was given before."""
    WRONG = "wrong"


class Reason(StrEnum):
    """Why credentials are wrong: for the log, never for the peer."""

    UNKNOWN_USER = "unknown-user"
    WRONG_RESPONSE = "wrong-response"
    WRONG_REALM = "wrong-realm"
    MISSING_FIELD = "missing-field"
    BAD_URI = "bad-uri"
    ALGORITHM = "algorithm"
    QOP = "qop"
    USERHASH = "userhash"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a check."""

    verdict: Verdict
    user: str
    """Who it is when accepted; else who it claims to be."""
    algorithm: str | None = None
    """One of ALGORITHMS, when accepted."""
    reason: Reason | None = None
    """When wrong."""

    @property
    def accepted(self) -> bool:
        return self.verdict is Verdict.ACCEPTED

    @property
    def may_retry(self) -> bool:
        """The next challenge says `stale=true`, and this is no guess to be counted."""
        return self.verdict in (Verdict.STALE, Verdict.REPLAYED)


class DigestAuthenticator:
    """One for all realms and for SIP and HTTP together; its memory is bounded by `max_nonces`.

    `secret` outlives the process, so that after a restart a phone with an old nonce is told `stale` and not that its
    password is wrong. `run` is RUN_BYTES random bytes, new at each start. `now` is in seconds since the epoch.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        run: bytes,
        nonce_life: float = NONCE_LIFE,
        max_nonces: int = MAX_NONCES,
        opaque: str | None = None,
        allow_without_qop: bool = False,
        offer_auth_int: bool = False,
    ) -> None:
        """`allow_without_qop` takes answers in the form of RFC 2069, which can be replayed for `nonce_life`.

        Raises ValueError for a secret that is no secret or a run of the wrong size.
        """
        if len(secret) < 16 or len(run) != RUN_BYTES:
            raise ValueError(f"a secret has 16 bytes or more, a run has {RUN_BYTES}")
        self._nonces = Nonces(secret, run, nonce_life, max_nonces)
        self._opaque = opaque
        self._allow_without_qop = allow_without_qop
        self._qop = ("auth", "auth-int") if offer_auth_int else ("auth",)
        # What an unknown user is checked against: nobody's, unknown to all, and as much work as a known one's.
        self._decoys = {
            name: hmac.new(secret, f"decoy {name}".encode(), "sha256").hexdigest()[: HEX_DIGITS[name]]
            for name in ALGORITHMS
        }

    def challenges(
        self, realm: str, algorithms: tuple[str, ...], *, now: float, stale: bool = False, source: str = ""
    ) -> tuple[Challenge, ...]:
        """One for each algorithm, in that order, each to be a header of its own (RFC 8760 §2.3). See `offer`.

        `source` is whom alone they are for, such as an address; give `check` the same.
        """
        nonce = self._nonces.mint(realm, now, source)
        return tuple(Challenge(realm, nonce, name, self._qop, stale, self._opaque) for name in algorithms)

    def check(
        self,
        credentials: Credentials,
        *,
        method: str,
        realm: str,
        request_uri: str,
        algorithms: tuple[str, ...],
        lookup: Lookup,
        now: float,
        body: bytes = b"",
        source: str = "",
    ) -> Outcome:
        """Whether these credentials are right for this request.

        `request_uri` is the text of the request line, `algorithms` what the realm is configured with: one that would
        not be offered to this user is refused, or a thief could choose the weakest. A retransmission must not come here
        (RFC 3261 §17.2.2): it would be a replay. Raises nothing.
        """
        user = credentials.username or ""
        reason = self._refusal(credentials, realm, request_uri)
        known = read_algorithm(credentials.algorithm)
        if reason is not None or known is None:
            return Outcome(Verdict.WRONG, user, None, reason or Reason.ALGORITHM)
        algorithm, session = known
        nonce = self._nonces.read(credentials.nonce or "", realm, source)
        if nonce is None:
            # RFC 7616 §3.3: stale, whatever the answer. Were it looked at, whoever makes nonces up could try passwords
            # without being counted, for `stale` would say which one is right.
            return Outcome(Verdict.STALE, user)
        hashes = lookup(user, realm)
        a1_hash = hashes.get(algorithm) if _is_offered(algorithm, algorithms, hashes) else None
        expected = compute_response(
            algorithm,
            self._decoys[algorithm] if a1_hash is None else a1_hash,
            session=session,
            nonce=credentials.nonce or "",
            nc=credentials.nc,
            cnonce=credentials.cnonce,
            qop=credentials.qop,
            method=method,
            uri=credentials.uri or "",
            body=body,
        )
        equal = hmac.compare_digest(expected.encode(), _ascii_lower(credentials.response or ""))
        if not equal or a1_hash is None:
            return Outcome(Verdict.WRONG, user, None, _why(hashes, a1_hash))
        return self._judge_nonce(credentials, nonce, Outcome(Verdict.ACCEPTED, user, algorithm), now)

    def _judge_nonce(self, credentials: Credentials, nonce: Nonce, accepted: Outcome, now: float) -> Outcome:
        """`accepted`, unless a right answer comes too late or again."""
        if self._nonces.is_stale(nonce, now):
            return Outcome(Verdict.STALE, accepted.user)
        if credentials.qop is not None and not self._nonces.use(nonce, int(credentials.nc or "", 16), now):
            return Outcome(Verdict.REPLAYED, accepted.user)
        return accepted

    def _refusal(self, credentials: Credentials, realm: str, request_uri: str) -> Reason | None:
        """What is wrong before anything is computed. Nothing here depends on who is known."""
        c = credentials
        if c.username is None or c.realm is None or c.nonce is None or c.uri is None or c.response is None:
            return Reason.MISSING_FIELD
        if c.qop is None:
            if not self._allow_without_qop:
                return Reason.MISSING_FIELD
        elif c.qop not in self._qop:
            return Reason.QOP
        elif c.cnonce is None or c.nc is None or not _NC.fullmatch(c.nc):
            return Reason.MISSING_FIELD
        if c.userhash:
            return Reason.USERHASH
        if c.realm != realm:
            return Reason.WRONG_REALM
        return None if same_target(c.uri, request_uri) else Reason.BAD_URI


def _is_offered(algorithm: str, configured: tuple[str, ...], hashes: Mapping[str, str]) -> bool:
    if algorithm in configured:
        return True
    return any((known := read_algorithm(name)) and known[0] == algorithm for name in offer(configured, hashes))


def _why(hashes: Mapping[str, str], a1_hash: str | None) -> Reason:
    """The word for the log about an answer that is not right."""
    if not hashes:
        return Reason.UNKNOWN_USER
    return Reason.ALGORITHM if a1_hash is None else Reason.WRONG_RESPONSE


def _ascii_lower(text: str) -> bytes:
    return text.lower().encode("ascii", "replace")
