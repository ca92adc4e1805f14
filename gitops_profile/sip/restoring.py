"""The subscriptions of an earlier life, taken up: all at once, or while the notifier serves.

Then some are taken at a time, and one at once when somebody asks for it. Rules: what was taken up is newer than its
row, and what has ended since does not come back.
"""

from collections.abc import Iterable

from .delivery import Delivery
from .earlier import Backlog
from .stored import StoredSubscription
from .subscription import GRACE, REJECTED, Subscription, SubscriptionState

ROWS_AT_ONCE = 50
"""Some 1 ms, between which messages are answered (invariant I8)."""


def restore(delivery: Delivery, rows: Iterable[StoredSubscription], now: float) -> None:
    """Take up all of them; whoever misses a change is told, nobody else (I3, I6). Raises ValueError as below."""
    for row in rows:
        _consider(delivery, _take_up(delivery, row), now)
    delivery.drain(now)


class Restoring:
    """What of a backlog is not taken up yet; the registry asks it for what it does not have."""

    def __init__(self, delivery: Delivery, backlog: Backlog, now: float) -> None:
        self._delivery = delivery
        self._backlog = backlog
        self._now = now
        self._unread = len(backlog)
        self._ahead: dict[str, Subscription] = {}
        """Taken up before their turn: what they are owed is looked at in it."""
        self._ended: set[str] = set()
        """What has ended since."""

    def __len__(self) -> int:
        return self._unread - len(self._ahead)

    def some(self, now: float) -> bool:
        """Take up the next ones; whether there may be more. Raises ValueError for a row that cannot be one."""
        self._now = now
        rows = self._backlog.take(ROWS_AT_ONCE)
        self._unread -= len(rows)
        for row in rows:
            subscription = self._ahead.pop(row.id, None) or _take_up(self._delivery, row)
            if subscription.state is SubscriptionState.ACTIVE:
                _consider(self._delivery, subscription, now)
        self._delivery.drain(now)
        return bool(rows)

    def find(self, id_: str) -> Subscription | None:
        """Take this one up now, if there is a row of it and it has not ended. Raises ValueError as `some` does."""
        row = self._backlog.find(id_) if id_ not in self._ended else None
        if row is None or row.expires_at + GRACE <= self._now:
            return None  # that one is overdue: its end is told in its turn
        subscription = self._ahead[id_] = _take_up(self._delivery, row)
        return subscription

    def forget(self, id_: str) -> None:
        """This one has ended."""
        self._ended.add(id_)


def _take_up(delivery: Delivery, row: StoredSubscription) -> Subscription:
    subscription = Subscription.from_stored(row)
    delivery.registry.keep(subscription)
    delivery.arm(subscription, subscription.ends_at)
    return subscription


def _consider(delivery: Delivery, subscription: Subscription, now: float) -> None:
    """What it is owed. The settings and the credentials may be others than in its earlier life."""
    if not delivery.may_have(subscription):
        delivery.end(subscription, REJECTED)
    elif subscription.ends_at > now:  # else its end is told, at once
        delivery.consider(subscription, now)
