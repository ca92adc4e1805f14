"""What of the subscriptions outlives the process: an SQLite database in the state folder."""

from .lock import StateLock
from .schema import StoreUnavailable
from .store import SubscriptionStore

__all__ = ["StateLock", "StoreUnavailable", "SubscriptionStore"]
