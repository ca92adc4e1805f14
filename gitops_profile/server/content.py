"""Documents as links, as the settings say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gitops_profile.access import DIGEST, Gate
from gitops_profile.config import Config
from gitops_profile.digest import DigestAuthenticator, Throttle
from gitops_profile.presentity import Presentation, PresentityTable
from gitops_profile.sip import AuthenticationFailed

from . import gatekeeping
from .credentials import CredentialFiles

if TYPE_CHECKING:
    from gitops_profile.http import ContentFetched, Guess, ProfileContent


def build_content(
    config: Config,
    table: PresentityTable,
    secret: bytes,
    *,
    gate: Gate,
    files: CredentialFiles,
    authenticator: DigestAuthenticator,
    throttle: Throttle,
    clock: Callable[[], float],
    on_guess: Callable[[AuthenticationFailed], None],
    on_fetch: Callable[[ContentFetched], None],
    tag_of: Callable[[Presentation], str],
) -> ProfileContent | None:
    """What is served at `http.public_url`; None when no document is told as a link.

    `secret` makes the URLs. `authenticator` and `throttle` are those of `gate`: who guesses, guesses everywhere.
    """
    if config.http.public_url is None:
        return None
    from gitops_profile.http import ContentAccess, ContentLinks, ProfileContent, Realm  # with aiohttp

    def permits(user: str, domain: str, resource: str) -> bool:
        return gate.permits(f"{DIGEST}{user}@{domain}", resource)

    def guessed(guess: Guess) -> None:
        on_guess(AuthenticationFailed(guess.source, guess.user, guess.realm, guess.reason))

    access = ContentAccess(
        {
            domain: Realm(policy.realm, policy.algorithms)
            for domain, policy in gatekeeping.policies(config).items()
            if policy.digest
        },
        authenticator,
        throttle,
        files.lookup,
        permits,
        public_https=config.http.public_url.startswith("https:"),
        direct_https=config.http.tls,
        proxies=tuple(config.trusted_proxies),
        on_guess=guessed,
        clock=clock,
    )
    return ProfileContent(table, ContentLinks(config.http.public_url, secret, clock), access, on_fetch, tag_of)
