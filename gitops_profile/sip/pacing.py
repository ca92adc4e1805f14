"""How fast changes are told: so many NOTIFYs a second, so many unanswered at once (design.md section 7)."""

from collections import deque

from .subscription import Subscription


class Pacing:
    """A queue of subscriptions that are owed a NOTIFY about a change. The immediate NOTIFY of a SUBSCRIBE passes by."""

    def __init__(self, rate: float, in_flight: int) -> None:
        self._rate = rate
        self._in_flight = in_flight
        self._queue: deque[Subscription] = deque()
        self._slots: set[str] = set()
        self._next_free = 0.0
        self._blocked_until: float | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def append(self, subscription: Subscription) -> None:
        """Queue it; it is looked at again when its turn comes."""
        self._queue.append(subscription)

    def pop(self, now: float) -> Subscription | None:
        """The next subscription whose NOTIFY may go now, or None."""
        self._blocked_until = None
        if not self._queue or len(self._slots) >= self._in_flight:
            return None
        if self._next_free > now + 0.001:
            self._blocked_until = self._next_free
            return None
        # At most a tenth of a second's worth may go at once after a pause.
        self._next_free = max(self._next_free, now - 0.1) + 1 / self._rate
        return self._queue.popleft()

    def take_slot(self, branch: str) -> None:
        """A NOTIFY went out."""
        self._slots.add(branch)

    def free_slot(self, branch: str) -> None:
        """It was answered, or its phone is silent."""
        self._slots.discard(branch)

    def next_deadline(self) -> float | None:
        """When the rate allows the next one; None when nothing waits for the clock."""
        return self._blocked_until
