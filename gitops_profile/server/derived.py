"""What each part is given of the settings."""

from dataclasses import dataclass
from ipaddress import ip_network

from gitops_profile.config import Config
from gitops_profile.http import CONNECTIONS
from gitops_profile.sip import Durations, NotifierSettings
from gitops_profile.transport import (
    SECURE,
    Certificates,
    LateResolver,
    ListenError,
    StreamLimits,
    possible_connections,
)

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""No source: a proxy on this machine, or a laboratory."""
HTTP_SHARE = 0.25
"""HTTP's part of the connections where there are open files for few."""


def share(config: Config, bound: int) -> int:
    """One worker's share of a bound, rounded up."""
    return -(-bound // config.workers)


@dataclass(frozen=True, slots=True)
class Room:
    """How many connections there may be. Both kinds are open files of one process, which needs others, too."""

    sip: int
    """Of one worker: TCP, TLS and WebSocket."""
    http: int


def room(config: Config) -> Room:
    """What the limit of open files allows; says so when that is less than is wanted."""
    sip = share(config, StreamLimits().connections)
    http = CONNECTIONS if config.http.listen is not None else 0
    possible = possible_connections(sip + http)
    if possible < sip + http:
        # A phone keeps its SIP connection, and asks for a file now and then.
        http = min(http, max(1, int(possible * HTTP_SHARE)))
        sip = max(1, possible - http)
    return Room(sip, http)


def stream_limits(config: Config, connections: int) -> StreamLimits:
    """Of TCP, TLS and WebSocket connections."""
    limits = config.limits
    return StreamLimits(
        connections=connections,
        per_source=limits.subscriptions_per_source,  # a phone has one connection
        trusted=(*config.trusted_proxies, *LOOPBACK),
        message_bytes=limits.message_bytes,
    )


def resolver(config: Config) -> LateResolver:
    """For the IP versions that are listened on; loopback addresses only where there are no others."""
    listeners = config.listen
    versions = {6 if ":" in listener.host else 4 for listener in listeners}
    return LateResolver(
        available=[(transport, version) for transport in ("udp", "tcp", "tls") for version in sorted(versions)],
        allow_loopback=all(listener.is_loopback for listener in listeners),
    )


def certificates(config: Config) -> Certificates:
    """Ours, and what is believed of others'; raises ListenError for a listener that has no certificate."""
    tls = config.tls
    secure = next((listener for listener in config.listen if listener.transport in SECURE), None)
    if tls.certificate is None and secure is not None:
        raise ListenError(f"cannot listen on {secure}: set tls.certificate to the PEM file of a certificate")
    return Certificates(tls.certificate, tls.key, tls.client_ca)


def https_certificates(config: Config) -> Certificates | None:
    """Of the HTTPS listener, where devices may show certificates of other CAs than SIP's peers; None for plain HTTP."""
    tls, provisioning = config.tls, config.provisioning
    if not config.http.tls:
        return None
    shown = "certificate" in (provisioning.authenticate or ())
    return Certificates(
        tls.certificate,
        tls.key,
        provisioning.device_ca if shown else None,
        ca_setting="provisioning.device_ca",
        trusts_intermediates=True,  # what vendors publish is often not the root
    )


def notifier_settings(config: Config, instance: str) -> NotifierSettings:
    """Of one worker's notifier; `instance` names the server in its Contact.

    Phones spread over the workers by chance, so what is a bound of everything is shared out among them. What one
    address or one profile may have is not: a half of a few is no fair share.
    """
    subscriptions = config.subscriptions
    return NotifierSettings(
        durations=Durations(subscriptions.default_expires, subscriptions.min_expires, subscriptions.max_expires),
        notify_rate=config.notify.rate / config.workers,
        notify_in_flight=share(config, config.notify.in_flight),
        max_subscriptions=share(config, config.limits.subscriptions),
        max_fetches=share(config, NotifierSettings().max_fetches),
        max_per_source=config.limits.subscriptions_per_source,
        max_per_resource=config.limits.subscriptions_per_profile,
        unverified_rate=config.limits.unverified_rate / config.workers,
        message_bytes=config.limits.message_bytes,
        fragment=config.notify.fragment,
        instance=instance,
        unlimited_sources=tuple(config.trusted_proxies),
        end_removed=config.notify.removed == "end",
    )
