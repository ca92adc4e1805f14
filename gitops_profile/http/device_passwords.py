"""The passwords of devices: digest, and basic over TLS. A device may have several at once, while they are changed."""

import base64
import binascii
import hmac
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from gitops_profile.digest import (
    ALGORITHMS,
    CredentialStore,
    DigestAuthenticator,
    DigestSyntaxError,
    Outcome,
    Reason,
    Throttle,
    Verdict,
    a1,
    choose_credentials,
)
from gitops_profile.presentity import canonical_device

from .client_address import counted_address
from .content_access import GUESSES, FetchRefused, Guess, too_many_guesses
from .device_proof import Proof, Way
from .plain_get import Asking

PASSWORD_WAYS = frozenset({Way.DIGEST, Way.BASIC})
_NO_HASH = dict.fromkeys(ALGORITHMS, "")


@dataclass(frozen=True, slots=True)
class Client:
    """Who sent a request."""

    address: str
    is_https: bool
    """It used https itself: all the way to us, or to a proxy of ours that says so."""
    is_named: bool
    """False when a proxy of ours did not say whom it speaks for: the address is the proxy's."""

    @property
    def counted(self) -> str:
        """Whose attempts are counted together."""
        return counted_address(self.address)


class DevicePasswords:
    """Checks them, and bounds guessing."""

    def __init__(
        self,
        ways: Collection[Way],
        realm: str,
        authenticator: DigestAuthenticator,
        throttle: Throttle,
        stores: Callable[[], Sequence[CredentialStore]],
        *,
        algorithms: tuple[str, ...] = ("MD5",),
        on_guess: Callable[[Guess], None] = lambda guess: None,
    ) -> None:
        """`stores` gives one or more: the first password of each device, the second of those that have two, and so on.

        `authenticator` and `throttle` may be the same as for SIP.
        """
        self._ways = PASSWORD_WAYS & frozenset(ways)
        self._realm = realm
        self._authenticator = authenticator
        self._throttle = throttle
        self._stores = stores
        self._algorithms = algorithms
        self._on_guess = on_guess

    @property
    def are_asked(self) -> bool:
        """Whether a client without one is asked for one."""
        return bool(self._ways)

    def check(self, request: Asking, client: Client, now: float) -> Proof | None:
        """The device whose password came; None when none did.

        Raises FetchRefused: 401 for a wrong one, 429 for who guessed too much, 400 for what cannot be read. An unknown
        device costs the same work as a known one.
        """
        values = request.headers.getall("Authorization", ())
        if not values or not self._ways:
            return None
        if values[0][:6].lower() == "basic ":
            return self._basic(values[0][6:], client, now)
        return self._digest(request, values, client, now)

    def challenge(self, client: Client, now: float, *, stale: bool = False) -> FetchRefused:
        """The 401 that asks for a password. Nothing of it depends on what was asked for (invariant I10)."""
        headers = []
        if Way.DIGEST in self._ways:
            challenges = self._authenticator.challenges(self._realm, self._algorithms, now=now, stale=stale)
            headers += [("WWW-Authenticate", str(challenge)) for challenge in challenges]
        if Way.BASIC in self._ways and client.is_https:
            headers.append(("WWW-Authenticate", f'Basic realm="{self._realm}", charset="UTF-8"'))
        return FetchRefused(401, "Show which device you are.", *headers)

    def _basic(self, value: str, client: Client, now: float) -> Proof:
        if Way.BASIC not in self._ways or not client.is_https:
            raise self.challenge(client, now)
        try:
            # As it was on the wire: not every phone sends UTF-8.
            text = base64.b64decode(value.strip(), validate=True).decode("utf-8", "surrogateescape")
        except (binascii.Error, ValueError) as error:
            raise FetchRefused(400, "The Authorization header cannot be read.") from error
        user, _, password = text.partition(":")
        self._refuse_who_guesses(client, user, now)
        right, known = False, False
        for store in self._stores():
            hashes = store.lookup(user, self._realm)
            known |= bool(hashes)
            for algorithm in ALGORITHMS:  # all of them, so that nobody's lines can be told by the time it takes
                stored = hashes.get(algorithm, _NO_HASH[algorithm])
                right |= hmac.compare_digest(a1(algorithm, user, self._realm, password), stored)
        if not right:
            raise self._guessed(client, user, Reason.WRONG_RESPONSE if known else Reason.UNKNOWN_USER, now)
        return self._proof(client, user, Way.BASIC)

    def _digest(self, request: Asking, values: Sequence[str], client: Client, now: float) -> Proof:
        if Way.DIGEST not in self._ways:
            raise self.challenge(client, now)
        try:
            credentials = choose_credentials(values, self._realm)
        except DigestSyntaxError as error:
            raise FetchRefused(400, "The Authorization header cannot be read.") from error
        if credentials is None:
            raise self.challenge(client, now)
        self._refuse_who_guesses(client, credentials.username or "", now)
        outcomes: list[Outcome] = []
        for store in self._stores():
            outcome = self._authenticator.check(
                credentials, method=request.method, realm=self._realm, request_uri=request.raw_path,
                algorithms=self._algorithms, lookup=store.lookup, now=now,
            )  # fmt: skip
            outcomes.append(outcome)
            if outcome.verdict is not Verdict.WRONG:
                break  # asked again, the same answer would be a replay
        found = outcomes[-1]
        if found.accepted:
            return self._proof(client, found.user, Way.DIGEST)
        if found.may_retry:
            raise self.challenge(client, now, stale=True)
        reasons = [outcome.reason for outcome in outcomes if outcome.reason is not None]
        # That a device has no third password is no news.
        reason = next((reason for reason in reasons if reason is not Reason.UNKNOWN_USER), reasons[0])
        raise self._guessed(client, found.user, reason, now)

    def _proof(self, client: Client, user: str, way: Way) -> Proof:
        self._throttle.succeeded(_guesser(client, user))
        return Proof(canonical_device(user), way)

    def _refuse_who_guesses(self, client: Client, user: str, now: float) -> None:
        waiting = self._throttle.blocked_for(_guesser(client, user), now)
        if waiting:
            raise too_many_guesses(waiting)

    def _guessed(self, client: Client, user: str, reason: Reason, now: float) -> FetchRefused:
        """Count it when it was a guess; what to answer."""
        if reason in GUESSES:
            self._on_guess(Guess(client.address, user, self._realm, str(reason)))
            waiting = self._throttle.failed(_guesser(client, user), now)
            if waiting:
                return too_many_guesses(waiting)
        return self.challenge(client, now)


def _guesser(client: Client, user: str) -> str:
    """Whose failures are counted together: behind a proxy that names no client, the device's."""
    return client.counted if client.is_named else f"{client.address} {user}"
