"""The notifier with its sockets and whatever it asks: who may, which document, where it is as a link, and since when.

Each worker has one; they share the server's secret, and with it the URLs and entity-tags that phones see.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gitops_profile.config import Config
from gitops_profile.digest import RUN_BYTES, DigestAuthenticator
from gitops_profile.event_packages import UAProfile
from gitops_profile.presentity import PresentityTable
from gitops_profile.sip import Notifier, SubscriptionEvent
from gitops_profile.transport import Certificates, SIPEndpoint, SubscriptionWriter, TransportRefused
from gitops_profile.workers import Owners, first_connection

from . import derived, gatekeeping
from .content import build_content
from .credentials import CredentialFiles
from .holding import Holding
from .tags import derived_key, phone_tags
from .tokens import Tokens

if TYPE_CHECKING:
    from gitops_profile.http import ContentFetched

NONCE_GRACE = 300.0
"""Seconds that a nonce lives longer than the longest subscription: some stacks lose their dialog when a refresh is
challenged (linphone), and what was answered once is no good a second time, however long the nonce lives."""
DRAIN_SECONDS = 5.0
"""For the phones to answer, when they are sent elsewhere."""
DRAIN_STEP = 0.02


class Notifying:
    """One worker's. Needs a running loop."""

    def __init__(
        self,
        config: Config,
        credentials: CredentialFiles,
        table: PresentityTable,
        secret: bytes,
        owners: Owners,
        store: SubscriptionWriter,
        *,
        connections: int,
        certificates: Certificates,
        on_event: Callable[[SubscriptionEvent], None],
        on_guess: Callable[[SubscriptionEvent], None],
        on_refused: Callable[[TransportRefused], None],
        on_fetch: Callable[[ContentFetched], None] = lambda fetched: None,
        on_clock_jump: Callable[[float], None] | None = None,
        wall: Callable[[], float] = time.time,
        life: int = 0,
    ) -> None:
        """`owners` says which worker this is, `life` how often it has died; `on_guess` is told of wrong passwords over
        HTTP.
        """
        # A run of its own for each worker: the counts of a nonce are in one place, where nothing can be replayed. At
        # another worker it is stale, and the phone asks again by itself.
        self.authenticator = DigestAuthenticator(
            derived_key(secret, "nonces"),
            run=secrets.token_bytes(RUN_BYTES),
            nonce_life=config.subscriptions.max_expires + NONCE_GRACE,
        )
        self.throttle = gatekeeping.throttle(config)
        self.tag_of = phone_tags(secret)
        gate = gatekeeping.build_gate(config, credentials, self.authenticator, self.throttle, table)
        self.content = build_content(
            config, table, derived_key(secret, "content"), gate=gate, files=credentials,
            authenticator=self.authenticator, throttle=self.throttle, clock=lambda: self.endpoint.now(),
            on_guess=on_guess, on_fetch=on_fetch, tag_of=self.tag_of,
        )  # fmt: skip
        takes_unknown = partial(gatekeeping.takes_unknown_devices, config)
        self.package = UAProfile(
            table,
            url_of=self.content.url_of if self.content is not None else lambda key, shown: None,
            tag_of=self.tag_of,
            links_age=self.content.links_age if self.content is not None else lambda: 0,
            takes_unknown_devices=takes_unknown,
        )
        self.holding = Holding(table, takes_unknown_devices=takes_unknown)
        instance = derived_key(secret, "instance").hex()[:12]
        tokens = Tokens()
        self.new_token = tokens if owners.count == 1 else lambda: owners.mark(tokens())
        self.notifier = Notifier(
            self.package, derived.notifier_settings(config, instance), self.new_token, gate, self.holding.holds
        )
        self.endpoint = SIPEndpoint(
            self.notifier, store, on_event, derived.stream_limits(config, connections),
            certificates=certificates, resolver=derived.resolver(config), on_refused=on_refused,
            on_clock_jump=on_clock_jump, wall=wall, first_connection=first_connection(owners.me, life),
        )  # fmt: skip
