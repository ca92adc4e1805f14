"""Changes: whose document may be another one, and who waits for a look at it (invariant I3)."""

from collections import deque
from collections.abc import Iterable

from .due import Due
from .pacing import Pacing
from .registry import Registry
from .retries import Retries
from .subscription import Subscription

CHANGES_AT_ONCE = 1000
"""Changed resources whose subscribers are queued in one go: some 2 ms."""


class Changes:
    """Changed resources whose subscribers are yet to be queued; whether there are any."""

    def __init__(self, due: Due, registry: Registry, retries: Retries, pacing: Pacing) -> None:
        self._due = due
        self._registry = registry
        self._retries = retries
        self._pacing = pacing
        self._resources: deque[str] = deque()

    def __bool__(self) -> bool:
        return bool(self._resources)

    def add(self, resources: Iterable[str]) -> None:
        """The event state of these may be another one."""
        self._resources.extend(resources)

    def queue_some(self, now: float) -> None:
        """Queue some of those whose document changed: whether they are owed a NOTIFY is decided in their turn."""
        for _ in range(min(CHANGES_AT_ONCE, len(self._resources))):
            resource = self._resources.popleft()
            if self._due.holds(resource):
                continue
            for subscription in self._registry.to(resource):
                subscription.retry_at = 0.0
                subscription.looks_again = True
                if subscription.in_flight is None and not self._retries.waits(subscription, now):
                    self.queue(subscription)

    def queue(self, subscription: Subscription) -> None:
        """Have it looked at when the pace allows, unless that is so already."""
        if not subscription.queued:
            subscription.queued = True
            self._pacing.append(subscription)
