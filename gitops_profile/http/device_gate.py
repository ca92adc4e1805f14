"""Which device asks for a document over HTTP, and whether it has shown so. A MAC is a name, not a credential."""

import base64
import binascii
import hmac
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiohttp import web

from gitops_profile.digest import (
    CredentialStore,
    DigestAuthenticator,
    DigestSyntaxError,
    Outcome,
    Throttle,
    Verdict,
    a1,
    choose_credentials,
)
from gitops_profile.presentity import mac_of

from .client_address import Proxies, client_address, is_proxy
from .content_access import FetchRefused, Guess
from .document_links import Capability
from .misses import MissBudget

_MAC_ANYWHERE = re.compile(
    r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{12}|(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})(?![0-9A-Fa-f])"
)


class Way(StrEnum):
    """How a device can show that it is itself."""

    CERTIFICATE = "certificate"
    """A client certificate, whose name carries the MAC."""
    DIGEST = "digest"
    BASIC = "basic"
    """Over TLS only."""
    LINK = "link"
    """A URL that only we can have given it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That the client is this device."""

    subject: str
    """Its MAC, or the key of the profile that a link is for."""
    way: Way
    etag: str | None = None
    """The version for which alone it counts."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Somebody asked for a device that it may not have."""

    source: str
    device: str
    reason: str
    """unknown, forbidden or decoy."""
    banned: bool


class DeviceGate:
    """Identifies devices, and bounds guessing."""

    def __init__(
        self,
        ways: Collection[Way],
        realm: str,
        authenticator: DigestAuthenticator,
        throttle: Throttle,
        stores: Callable[[], Sequence[CredentialStore]],
        budget: MissBudget,
        *,
        algorithms: tuple[str, ...] = ("MD5",),
        decoys: Callable[[], Collection[str]] = frozenset,
        is_open_to: Callable[[str, float], bool] = lambda source, now: False,
        proxies: Proxies = (),
        on_guess: Callable[[Guess], None] = lambda guess: None,
        on_missed: Callable[[Missed], None] = lambda missed: None,
        clock: Callable[[], float],
    ) -> None:
        """`stores` are the credentials, one for each password that a device may have. `is_open_to(source, now)`:
        whether a client there needs to show nothing for now (bootstrap). `clock` is in Unix seconds.
        """
        self._ways = frozenset(ways)
        self._realm = realm
        self._authenticator = authenticator
        self._throttle = throttle
        self._stores = stores
        self._budget = budget
        self._algorithms = algorithms
        self._decoys = decoys
        self._is_open_to = is_open_to
        self._proxies = proxies
        self._on_guess = on_guess
        self._on_missed = on_missed
        self._clock = clock

    def source(self, request: web.Request) -> str:
        """The client's address."""
        return client_address(request, self._proxies)

    def is_https(self, request: web.Request) -> bool:
        """Whether the client itself used https: all the way to us, or to a proxy of ours that says so."""
        said = request.headers.getall("X-Forwarded-Proto", ())
        if said and is_proxy(request.remote or "", self._proxies):
            return all(hop.strip().lower() == "https" for value in said for hop in value.split(","))
        return request.secure

    def is_open(self, request: web.Request) -> bool:
        """Whether this client may have what is sensitive without showing anything, and over plain http."""
        return self._is_open_to(self.source(request), self._clock())

    def prove(self, request: web.Request, linked: Capability | None) -> Proof | None:
        """The device that the client has shown to be; None when it has shown nothing.

        Raises FetchRefused: 401 for wrong credentials, and for none where they are wanted; 429 for a source that
        guessed too much. Nothing of it depends on what was asked for (invariant I10).
        """
        now, source = self._clock(), self.source(request)
        proof = self._shown(request, linked, source, now)
        if proof is None:
            banned = self._budget.banned_for(source, now)
            if banned:
                raise FetchRefused(429, "Too many devices asked for: wait.", ("Retry-After", str(math.ceil(banned))))
            if self._challenges and not self.is_open(request):
                raise self._challenge(request, now)
        return proof

    @property
    def wants_proof(self) -> bool:
        """Whether devices have to show who they are at all."""
        return bool(self._ways)

    def missed(self, request: web.Request, device: str | None, *, exists: bool, proof: Proof | None) -> None:
        """Nothing was found for the device that was asked for, or nothing that the client may have."""
        if device is None:
            return
        now, source = self._clock(), self.source(request)
        if device in self._decoys():
            self._budget.ban(source, now)
            self._on_missed(Missed(source, device, "decoy", banned=True))
            return
        if proof is not None and proof.subject == device:
            return  # one more file of its own, which there is not
        if exists and not self._ways:
            return
        is_new, banned = self._budget.missed(source, device, now)
        if is_new:
            self._on_missed(Missed(source, device, "forbidden" if exists else "unknown", banned))

    # -- ways ------------------------------------------------------------------------------------------------------

    @property
    def _challenges(self) -> bool:
        return bool(self._ways & {Way.DIGEST, Way.BASIC})

    def _shown(self, request: web.Request, linked: Capability | None, source: str, now: float) -> Proof | None:
        if linked is not None and Way.LINK in self._ways:
            return Proof(linked.subject, Way.LINK, linked.etag)
        if Way.CERTIFICATE in self._ways and request.transport is not None:
            device = certificate_device(request.transport.get_extra_info("peercert"))
            if device is not None:
                return Proof(device, Way.CERTIFICATE)
        values = request.headers.getall("Authorization", ())
        if not values or not self._challenges:
            return None
        waiting = self._throttle.blocked_for(source, now)
        if waiting:
            raise FetchRefused(429, "Too many wrong passwords: wait.", ("Retry-After", str(math.ceil(waiting))))
        if values[0][:6].lower() == "basic ":
            return self._basic(request, values[0][6:], source, now)
        return self._digest(request, values, source, now)

    def _basic(self, request: web.Request, value: str, source: str, now: float) -> Proof:
        if Way.BASIC not in self._ways or not self.is_https(request):
            raise self._challenge(request, now)
        try:
            user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as error:
            raise FetchRefused(400, "The Authorization header cannot be read.") from error
        right = False
        for store in self._stores() or (_NOBODY,):
            hashes = store.lookup(user, self._realm)
            # For an unknown user as much work as for a known one.
            for algorithm, stored in (hashes or {"MD5": _NO_HASH}).items():
                right |= hmac.compare_digest(a1(algorithm, user, self._realm, password), stored)
        return self._judged(request, user, right, source, now)

    def _digest(self, request: web.Request, values: Sequence[str], source: str, now: float) -> Proof:
        if Way.DIGEST not in self._ways:
            raise self._challenge(request, now)
        try:
            credentials = choose_credentials(values, self._realm)
        except DigestSyntaxError as error:
            raise FetchRefused(400, "The Authorization header cannot be read.") from error
        if credentials is None:
            raise self._challenge(request, now)
        found: Outcome | None = None
        for store in self._stores() or (_NOBODY,):
            outcome = self._authenticator.check(
                credentials, method=request.method, realm=self._realm, request_uri=request.raw_path,
                algorithms=self._algorithms, lookup=store.lookup, now=now,
            )  # fmt: skip
            if found is None or outcome.verdict is not Verdict.WRONG:
                found = outcome
        assert found is not None
        if found.may_retry:
            raise self._challenge(request, now, stale=True)
        return self._judged(request, found.user, found.accepted, source, now)

    def _judged(self, request: web.Request, user: str, right: bool, source: str, now: float) -> Proof:
        device = mac_of(user)
        if right and device is not None:
            self._throttle.succeeded(source)
            return Proof(device, Way.DIGEST)
        self._on_guess(Guess(source, user, self._realm, "wrong-response"))
        waiting = self._throttle.failed(source, now)
        if waiting:
            raise FetchRefused(429, "Too many wrong passwords: wait.", ("Retry-After", str(math.ceil(waiting))))
        raise self._challenge(request, now)

    def _challenge(self, request: web.Request, now: float, *, stale: bool = False) -> FetchRefused:
        headers = []
        if Way.DIGEST in self._ways:
            challenges = self._authenticator.challenges(self._realm, self._algorithms, now=now, stale=stale)
            headers += [("WWW-Authenticate", str(challenge)) for challenge in challenges]
        if Way.BASIC in self._ways and self.is_https(request):
            headers.append(("WWW-Authenticate", f'Basic realm="{self._realm}", charset="UTF-8"'))
        return FetchRefused(401, "Show which device you are.", *headers)


def certificate_device(certificate: Mapping[str, Any] | None) -> str | None:
    """The MAC that a verified certificate carries: in its common name or serial number, else in an alternative name."""
    if not certificate:
        return None
    subject = [value for part in certificate.get("subject", ()) for name, value in part if name in _NAMES]
    alternatives = [value for _, value in certificate.get("subjectAltName", ()) if isinstance(value, str)]
    for text in (*subject, *alternatives):
        found = _MAC_ANYWHERE.search(text)
        if found is not None:
            return re.sub(r"[:-]", "", found[0]).lower()
    return None


_NAMES = ("commonName", "serialNumber")
_NOBODY = CredentialStore.parse("")
_NO_HASH = "0" * 32
