"""Who may fetch what is sensitive: over https only, by digest, and only what is his (RFC 6080 §5.2.2, RFC 7616)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from gitops_profile.digest import (
    Credentials,
    DigestAuthenticator,
    DigestSyntaxError,
    Lookup,
    Outcome,
    Reason,
    Throttle,
    choose_credentials,
    offer,
)
from gitops_profile.presentity import ProfileKey

from .client_address import Proxies, client_address, counted_address, forwarded_https, is_proxy
from .plain_get import Asking
from .whole_answer import CLOSE, WholeAnswer

GUESSES = frozenset({Reason.WRONG_RESPONSE, Reason.UNKNOWN_USER, Reason.ALGORITHM})
"""What counts as guessing: it needs a nonce of ours."""


@dataclass(frozen=True, slots=True)
class Realm:
    """How the users of a domain show who they are."""

    name: str
    algorithms: tuple[str, ...]
    """One challenge for each, in this order."""


@dataclass(frozen=True, slots=True)
class Guess:
    """Wrong credentials, for the log and for whoever counts them."""

    source: str
    """The client's address."""
    user: str
    realm: str
    reason: str


class FetchRefused(Exception):
    """No document for this request; the text is the answer's body."""

    def __init__(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers

    def answer(self, headers: Mapping[str, str]) -> WholeAnswer:
        """As it is answered, with `headers` besides.

        Who is not listened to has no connection either: he could hold it for ever by asking again.
        """
        fields = [*headers.items(), ("Content-Type", "text/plain; charset=utf-8"), *self.headers]
        if self.status == 429:
            fields.append(CLOSE)
        return WholeAnswer(self.status, fields, f"{self}\n".encode())

    def response(self, headers: Mapping[str, str]) -> web.Response:
        """The same as aiohttp's."""
        return self.answer(headers).response()


class ContentAccess:
    """Authentication and authorisation of those who fetch sensitive documents."""

    def __init__(
        self,
        realms: Mapping[str, Realm],
        authenticator: DigestAuthenticator,
        throttle: Throttle,
        lookup: Callable[[str], Lookup],
        permits: Callable[[str, str, str], bool],
        *,
        public_https: bool,
        direct_https: bool,
        proxies: Proxies = (),
        on_guess: Callable[[Guess], None] = lambda guess: None,
        clock: Callable[[], float],
    ) -> None:
        """`realms` are by domain; in one that has none nobody can show who he is.

        `authenticator` and `throttle` are the same as for SIP, and so is `clock`, in seconds since the epoch.
        `lookup(domain)` gives the domain's credentials as they are now; `permits(user, domain, key)` says whether that
        user of that domain may have that profile. `public_https`: the URLs that phones get are https. `direct_https`:
        the listener itself speaks TLS. `proxies` are the networks of reverse proxies whose X-Forwarded-… is believed.
        """
        self._realms = realms
        self._authenticator = authenticator
        self._throttle = throttle
        self._lookup = lookup
        self._permits = permits
        self._public_https = public_https
        self._direct_https = direct_https
        self._proxies = proxies
        self._on_guess = on_guess
        self._clock = clock

    def may_serve(self, domain: str) -> bool:
        """Whether something sensitive of this domain can be fetched at all."""
        return self._public_https and (self._direct_https or bool(self._proxies)) and domain in self._realms

    def check(self, request: Asking, key: ProfileKey) -> str:
        """The user who asks for the sensitive profile `key` and may have it; raises FetchRefused."""
        if not self._is_https(request):
            raise FetchRefused(403, "This document is sensitive: it is served over https only.")
        realm = self._realms.get(key.domain)
        if realm is None:
            raise FetchRefused(403, "This document is sensitive, and its domain has no credentials to ask for.")
        user = self._authenticate(request, key.domain, realm)
        if not self._permits(user, key.domain, str(key)):
            raise FetchRefused(403, "These credentials may not have this document.")
        return user

    def source(self, request: Asking) -> str:
        """The client's address: what the nearest trusted proxy says it is, else the peer's (X-Forwarded-For)."""
        return client_address(request, self._proxies)

    # -- https ---------------------------------------------------------------------------------------------------

    def _is_https(self, request: Asking) -> bool:
        """Whether the client itself used https: all the way to us, or to a proxy of ours that says so."""
        said = forwarded_https(request, self._proxies)
        return request.secure if said is None else said and self._public_https

    def _trusts(self, peer: str) -> bool:
        return is_proxy(peer, self._proxies)

    # -- digest --------------------------------------------------------------------------------------------------

    def _authenticate(self, request: Asking, domain: str, realm: Realm) -> str:
        """The user whom the Authorization proves; raises FetchRefused."""
        now = self._clock()
        try:
            credentials = choose_credentials(request.headers.getall("Authorization", ()), realm.name)
        except DigestSyntaxError as error:
            raise FetchRefused(400, "The Authorization header cannot be read.") from error
        source = self._counted_source(request, credentials)
        waiting = self._throttle.blocked_for(source, now)
        if waiting:
            raise too_many_guesses(waiting)
        if credentials is None:
            raise self._challenge(domain, realm, "", now)
        outcome = self._authenticator.check(
            credentials,
            method=request.method,
            realm=realm.name,
            request_uri=request.raw_path,
            algorithms=realm.algorithms,
            lookup=self._lookup(domain),
            now=now,
        )
        if outcome.accepted:
            self._throttle.succeeded(source)
            return outcome.user
        if outcome.may_retry:
            raise self._challenge(domain, realm, outcome.user, now, stale=True)
        self._count(outcome, self.source(request), source, realm, now)
        raise self._challenge(domain, realm, outcome.user, now)

    def _count(self, outcome: Outcome, address: str, source: str, realm: Realm, now: float) -> None:
        """Count a guess; raises FetchRefused when it was one too many."""
        if outcome.reason not in GUESSES:
            return
        self._on_guess(Guess(address, outcome.user, realm.name, str(outcome.reason)))
        waiting = self._throttle.failed(source, now)
        if waiting:
            raise too_many_guesses(waiting)

    def _challenge(self, domain: str, realm: Realm, user: str, now: float, *, stale: bool = False) -> FetchRefused:
        algorithms = offer(realm.algorithms, self._lookup(domain)(user, realm.name) if user else ())
        challenges = self._authenticator.challenges(realm.name, algorithms, now=now, stale=stale)
        headers = [("WWW-Authenticate", str(challenge)) for challenge in challenges]
        return FetchRefused(401, "This document is sensitive: show who you are.", *headers)

    def _counted_source(self, request: Asking, credentials: Credentials | None) -> str:
        """Whose failures are counted together: behind a proxy that names no client, the user's."""
        source = self.source(request)
        if self._trusts(source) and credentials is not None:
            return f"{source} {credentials.username or ''}"
        return counted_address(source)


def too_many_guesses(seconds: float) -> FetchRefused:
    """The answer to a source that is not listened to for so many seconds."""
    return FetchRefused(429, "Too many wrong passwords: wait.", ("Retry-After", str(math.ceil(seconds))))
