"""What an operator may set about the notifier."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from .subscribe import Durations
from .syntax import MAX_MESSAGE
from .transaction import Timers


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """Policy and bounds of one notifier."""

    durations: Durations = field(default_factory=Durations)
    timers: Timers = field(default_factory=Timers)
    notify_rate: float = 20000.0
    """NOTIFYs about changes in a second, overall."""
    notify_in_flight: int = 1000
    """Unanswered NOTIFYs about changes, overall."""
    message_bytes: int = MAX_MESSAGE
    """Bytes of a message; a longer one is answered 513."""
    max_subscriptions: int = 1_000_000
    max_per_source: int = 1000
    max_per_resource: int = 100_000
    unverified_rate: float = 50.0
    """NOTIFYs per second to one address that has not answered any yet."""
    datagram_bytes: int = 1300
    """Of a NOTIFY over UDP when the path MTU is unknown (RFC 3261 §18.1.1)."""
    fragment: bool = False
    """Whether a larger one may leave in fragments when nothing else works."""
    max_fetches: int = 2000
    """Fetches (Expires 0) whose NOTIFY is unanswered, overall."""
    unlimited_sources: tuple[IPv4Network | IPv6Network, ...] = ()
    """Addresses of trusted proxies: a proxy is no source."""
    instance: str = ""
    """A token that names this server in its Contact (`gr`, RFC 6665 §4.5.1)."""
    end_removed: bool = False
    """Whether removing a document ends its subscriptions (`noresource`), or tells them that there is none."""
    store_retry: float = 1.0
    """Seconds until a failed write is tried again."""
    max_retry: float = 300.0
    """Seconds at most between tries of a NOTIFY that was answered with an error."""
