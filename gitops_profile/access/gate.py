"""The notifier's access control: digest, trusted edge proxies, and who guesses too often (RFC 8760, RFC 3325)."""

import math
from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address

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
from gitops_profile.presentity import InvalidKey, ProfileKey, parsed_key
from gitops_profile.sip import AuthenticationFailed, Flow, Refused
from gitops_profile.sip.syntax import URI, Address, Request, Response, SIPSyntaxError

from .challenged import answer_challenge
from .policy import DomainPolicy

FORBIDDEN = "Not provisioned"
"""The same words as for a profile that is not there (invariant I10)."""
DIGEST, ASSERTED = "digest:", "asserted:"
"""How an identity begins: shown by credentials of ours, or said by a proxy that we believe."""
_GUESSES = frozenset({Reason.WRONG_RESPONSE, Reason.UNKNOWN_USER, Reason.ALGORITHM})
"""What counts as guessing. It needs a nonce of ours: a forged packet must not lock out the address it names."""


class Gate:
    """Who is asking, and may he have it. `policies` are by domain; one that is not listed is open on loopback only."""

    def __init__(
        self,
        policies: Mapping[str, DomainPolicy],
        authenticator: DigestAuthenticator,
        throttle: Throttle,
        lookup: Callable[[str], Lookup],
        new_token: Callable[[], str],
        *,
        networks: Collection[IPv4Network | IPv6Network] = (),
        certificates: Collection[str] = (),
        owner_of: Callable[[ProfileKey], ProfileKey] = lambda key: key,
    ) -> None:
        """`lookup(domain)` gives the credentials of a domain as they are now, `owner_of` whose profile an alias is.

        `networks` and `certificates` are the edge proxies whose P-Asserted-Identity is believed.
        """
        self._policies = policies
        self._authenticator = authenticator
        self._throttle = throttle
        self._lookup = lookup
        self._new_token = new_token
        self._networks = networks
        self._certificates = frozenset(certificates)
        self._owner_of = owner_of
        self._trusted: dict[str, bool] = {}

    def identify(self, request: Request, flow: Flow, domain: str, *, now: float) -> str | None:
        """See `AccessControl`."""
        if not self.serves(domain, flow):
            raise Refused(403, FORBIDDEN)
        policy = self._policies.get(domain)
        if self.trusts(flow):
            asserted = _asserted_identity(request)
            if asserted is not None:
                return asserted
        if policy is None or not policy.digest:
            return None
        return self._authenticate(request, flow, domain, policy, now)

    def serves(self, domain: str, flow: Flow) -> bool:
        """See `AccessControl`."""
        return domain in self._policies or flow.is_loopback

    def permits(self, identity: str | None, resource: str) -> bool:
        """See `AccessControl`."""
        try:
            key = parsed_key(resource)
        except InvalidKey:
            return False
        policy = self._policies.get(key.domain, _OPEN)
        if identity is None:
            return policy.permits(None, key)
        name = identity.removeprefix(DIGEST).removeprefix(ASSERTED)
        if identity.startswith(DIGEST):
            user, _, domain = name.rpartition("@")
            if not policy.digest or not self._lookup(domain)(user, policy.realm):
                return False  # the credentials are gone
        return policy.permits(name, key) or policy.permits(name, self._owner_of(key))

    def trusts(self, flow: Flow) -> bool:
        """See `AccessControl`."""
        if self._certificates and not self._certificates.isdisjoint(flow.peer):
            return True
        if not self._networks:
            return False
        source = flow.remote[0]
        known = self._trusted.get(source)
        if known is None:
            if len(self._trusted) > 10_000:
                self._trusted.clear()
            address = ip_address(source)
            known = self._trusted[source] = any(address in network for network in self._networks)
        return known

    def answer(self, response: Response, identity: str | None, uri: str) -> tuple[str, str] | None:
        """See `AccessControl`. The phone's own credentials: it and we share them (RFC 6080 §5.2.1)."""
        if identity is None or not identity.startswith(DIGEST):
            return None
        user, _, domain = identity.removeprefix(DIGEST).rpartition("@")
        return answer_challenge(response, user, self._lookup(domain), uri, self._new_token())

    # -- digest --------------------------------------------------------------------------------------------------

    def _authenticate(self, request: Request, flow: Flow, domain: str, policy: DomainPolicy, now: float) -> str:
        """The identity that the Authorization proves; raises Refused."""
        try:
            credentials = choose_credentials(request.headers.all("authorization"), policy.realm)
        except DigestSyntaxError as error:
            raise Refused(400, "malformed Authorization") from error
        user = _named_user(request) if credentials is None else credentials.username or ""
        source = self._source(user, flow)
        waiting = self._throttle.blocked_for(source, now)
        if waiting:
            raise Refused(503, "", ("Retry-After", str(math.ceil(waiting))))
        if credentials is None:
            raise self._challenge(policy, domain, user, flow, now)
        outcome = self._authenticator.check(
            credentials,
            method=request.method,
            realm=policy.realm,
            request_uri=_target(credentials, request, flow, domain),
            algorithms=policy.algorithms,
            lookup=self._lookup(domain),
            now=now,
            body=request.body,
            source=self._receiver(flow),
        )
        if outcome.accepted:
            self._throttle.succeeded(source)
            return f"{DIGEST}{outcome.user}@{domain}"
        if outcome.may_retry:
            raise self._challenge(policy, domain, outcome.user, flow, now, stale=True)
        raise self._wrong(outcome, credentials, flow, source, policy, domain, now)

    def _wrong(
        self,
        outcome: Outcome,
        credentials: Credentials,
        flow: Flow,
        source: str,
        policy: DomainPolicy,
        domain: str,
        now: float,
    ) -> Refused:
        refused = self._challenge(policy, domain, credentials.username or "", flow, now)
        if outcome.reason not in _GUESSES:
            return refused
        if self._throttle.failed(source, now):
            refused = Refused(403)  # RFC 3261 §21.4.4: do not repeat it
        refused.fact = AuthenticationFailed(
            flow.remote[0], credentials.username or "", policy.realm, str(outcome.reason)
        )
        return refused

    def _challenge(
        self, policy: DomainPolicy, domain: str, user: str, flow: Flow, now: float, *, stale: bool = False
    ) -> Refused:
        algorithms = offer(policy.algorithms, self._lookup(domain)(user, policy.realm) if user else ())
        challenges = self._authenticator.challenges(
            policy.realm, algorithms, now=now, stale=stale, source=self._receiver(flow)
        )
        return Refused(401, "", *(("WWW-Authenticate", str(challenge)) for challenge in challenges))

    def _source(self, user: str, flow: Flow) -> str:
        """Whose failures are counted together: behind a proxy the address is everybody's, so `user` is.

        That is the one whose password is tried: the From is whatever a guesser likes.
        """
        return f"{flow.remote[0]} {user}" if self.trusts(flow) else flow.source

    def _receiver(self, flow: Flow) -> str:
        """Whom alone a nonce is for: over UDP the address that it was sent to, for wrong answers to a nonce that he got
        himself would let a forger lock out any other. Of several proxies any may bring the answer.
        """
        return flow.remote[0] if not flow.reliable and not self.trusts(flow) else ""


_OPEN = DomainPolicy(digest=False, realm="")


def _target(credentials: Credentials, request: Request, flow: Flow, domain: str) -> str:
    """The URI that the digest is for, if it is one of ours; else the Request-URI, which it then has to be.

    RFC 8760 §2.6: another URI than the Request-URI is no error in itself. sipp names the address it sends to.
    """
    try:
        host = URI.parse(credentials.uri or "").host
    except SIPSyntaxError:
        return request.uri
    return credentials.uri or "" if host.strip("[]") in (flow.local[0], domain) else request.uri


def _named_user(request: Request) -> str:
    """Who the request says it is from, before anything is proved."""
    try:
        return URI.parse(request.from_.uri).decoded_user or ""
    except SIPSyntaxError:
        return ""


def _asserted_identity(request: Request) -> str | None:
    """`user@domain` of the first SIP URI that a trusted proxy asserts (RFC 3325 §9.1); None when there is none."""
    try:
        for value in request.headers.items("p-asserted-identity"):
            uri = Address.parse(value).uri
            if uri[:4].lower() in ("sip:", "sips"):
                parsed = URI.parse(uri)
                if parsed.decoded_user:
                    return f"{ASSERTED}{parsed.decoded_user}@{parsed.host.removesuffix('.')}"
    except SIPSyntaxError as error:
        raise Refused(400, "malformed P-Asserted-Identity") from error
    return None
