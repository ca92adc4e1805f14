"""The SIP notifier, without I/O: messages, changes and deadlines in, messages and facts out (pure)."""

from .event_package import NO_CONTENT, EventPackage, EventState, SubscriptionRefused
from .flow import Flow, host_port
from .notifier import Batch, Notifier, NotifierSettings
from .stored import StoredSubscription
from .subscribe import Durations
from .subscription import Subscription
from .subscription_events import (
    MessageRefused,
    NotifyAnswered,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionRefreshed,
    SubscriptionStarted,
)
from .transaction import Timers

__all__ = [
    "NO_CONTENT",
    "Batch",
    "Durations",
    "EventPackage",
    "EventState",
    "Flow",
    "MessageRefused",
    "Notifier",
    "NotifierSettings",
    "NotifyAnswered",
    "StoredSubscription",
    "Subscription",
    "SubscriptionEnded",
    "SubscriptionEvent",
    "SubscriptionRefreshed",
    "SubscriptionRefused",
    "SubscriptionStarted",
    "Timers",
    "host_port",
]
