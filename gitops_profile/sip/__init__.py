"""The SIP notifier, without I/O: messages, changes and deadlines in, messages and facts out (pure)."""

from .access import AccessControl, OpenAccess
from .audience import EXTERNAL_BODY, Audience, media_type
from .earlier import Backlog
from .event_package import NO_CONTENT, EventPackage, EventState, SubscriptionRefused
from .flow import Flow, host_port, source_of
from .notifier import Batch, Notifier, NotifierSettings
from .refusal import Refused
from .routing import Hop, Target
from .stored import StoredDelivery, StoredSubscription
from .subscribe import Durations
from .subscription import NO_DOCUMENT, Subscription
from .subscription_events import (
    AuthenticationFailed,
    MessageRefused,
    NotifyAnswered,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionRefreshed,
    SubscriptionStarted,
)
from .transaction import Timers

__all__ = [
    "EXTERNAL_BODY",
    "NO_CONTENT",
    "NO_DOCUMENT",
    "AccessControl",
    "Audience",
    "AuthenticationFailed",
    "Backlog",
    "Batch",
    "Durations",
    "EventPackage",
    "EventState",
    "Flow",
    "Hop",
    "MessageRefused",
    "Notifier",
    "NotifierSettings",
    "NotifyAnswered",
    "OpenAccess",
    "Refused",
    "StoredDelivery",
    "StoredSubscription",
    "Subscription",
    "SubscriptionEnded",
    "SubscriptionEvent",
    "SubscriptionRefreshed",
    "SubscriptionRefused",
    "SubscriptionStarted",
    "Target",
    "Timers",
    "host_port",
    "media_type",
    "source_of",
]
