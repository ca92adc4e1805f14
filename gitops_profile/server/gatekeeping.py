"""Access control as the settings say."""

import math
import secrets

from gitops_profile.access import AccessRule, DomainPolicy, Gate
from gitops_profile.config import Config, Domain
from gitops_profile.digest import DigestAuthenticator, Throttle
from gitops_profile.presentity import PresentityTable

from .credentials import CredentialFiles

FAILURES = 10
"""Wrong passwords within a minute, after which a source has to wait."""


def credential_files(config: Config) -> CredentialFiles:
    """The files of all domains with digest."""
    return CredentialFiles(
        {
            name: domain.credentials
            for name, domain in config.domains.items()
            if domain.auth == "digest" and domain.credentials is not None
        }
    )


def policies(config: Config) -> dict[str, DomainPolicy]:
    """By domain. One that is listed without `auth` is as if it were not: open on loopback, closed elsewhere."""
    return {name: _policy(name, domain) for name, domain in config.domains.items() if domain.auth is not None}


def _policy(name: str, domain: Domain) -> DomainPolicy:
    return DomainPolicy(
        digest=domain.auth == "digest",
        realm=domain.realm or name,
        algorithms=tuple(domain.algorithms),
        rules=tuple(AccessRule(rule.who, tuple(rule.may)) for rule in domain.access),
    )


def build_gate(
    config: Config,
    files: CredentialFiles,
    authenticator: DigestAuthenticator,
    throttle: Throttle,
    table: PresentityTable,
) -> Gate:
    """The notifier's access control."""
    return Gate(
        policies(config),
        authenticator,
        throttle,
        files.lookup,
        lambda: secrets.token_hex(8),
        networks=tuple(config.trusted_proxies),
        certificates=tuple(config.trusted_certificates),
        owner_of=lambda key: table.resolve(key) or key,
    )


def throttle(config: Config) -> Throttle:
    """The bound on guessing, of one worker: whoever guesses from many ports guesses at all of them."""
    return Throttle(failures=max(1, math.ceil(FAILURES / config.workers)))


def takes_unknown_devices(config: Config, domain: str) -> bool:
    """Whether a device without a profile is accepted in a domain."""
    listed = config.domains.get(domain)
    return listed is not None and listed.unknown_device == "accept"
