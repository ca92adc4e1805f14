"""What happened, for those who count and log. Facts, never bodies or credentials (invariant I7).

Tuples: two are made for each subscription, in a third of the time that a frozen dataclass takes.
"""

from typing import NamedTuple


class MessageRefused(NamedTuple):
    """A message that got an error answer, or none at all (`status` 0)."""

    source: str
    status: int
    reason: str


class SubscriptionStarted(NamedTuple):
    """A subscription is durable and active."""

    id: str
    resource: str
    source: str
    expires: int
    """Seconds."""


class SubscriptionRefreshed(NamedTuple):
    """A refresh was accepted."""

    id: str
    resource: str
    expires: int


class NotifyAnswered(NamedTuple):
    """A NOTIFY came to its end: a final status, 408 for Timer F, 503 for a failed transport (RFC 3261 §8.1.3.1)."""

    id: str
    resource: str
    status: int
    etag: str
    seconds: float
    """From the first transmission to the end."""


class SubscriptionEnded(NamedTuple):
    """A subscription is over."""

    id: str
    resource: str
    reason: str


class AuthenticationFailed(NamedTuple):
    """Credentials that were wrong: somebody mistyped, or guesses."""

    source: str
    user: str
    """As it was claimed."""
    realm: str
    reason: str
    """One word."""


SubscriptionEvent = (
    AuthenticationFailed
    | MessageRefused
    | SubscriptionStarted
    | SubscriptionRefreshed
    | NotifyAnswered
    | SubscriptionEnded
)
