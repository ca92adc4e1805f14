"""What of the subscriptions outlives the process: an SQLite database in the state folder."""

from .backlog import StoredBacklog
from .deliveries import EndedSubscription, VersionDelivery, read_deliveries
from .lock import StateLock
from .rollouts import ROLLOUTS, StoredRollout
from .schema import StoreUnavailable
from .store import SubscriptionStore

__all__ = [
    "ROLLOUTS",
    "EndedSubscription",
    "StateLock",
    "StoreUnavailable",
    "StoredBacklog",
    "StoredRollout",
    "SubscriptionStore",
    "VersionDelivery",
    "read_deliveries",
]
