"""When each subscription is to be looked at: one wheel of seconds for all, and no timer of its own for any.

A slot is a second, its subscriptions a list: 8 bytes for each of a million, where an entry in a heap took 130, and an
append instead of a walk through it. What is due within its second comes in the order of its time.
"""

import heapq
from collections.abc import Iterator

from .subscription import Subscription

_NEVER = float("inf")


class Alarms:
    """The deadlines of subscriptions. One that ends is passed over, and is let go of with the others of its second."""

    def __init__(self) -> None:
        self._slots: dict[int, list[Subscription]] = {}
        self._first: dict[int, float] = {}
        """When the first of each slot is due."""
        self._over: dict[int, int] = {}
        """How many of a slot have ended, of those that have since it was looked through."""
        self._seconds: list[int] = []
        """A heap of the slots that there are."""
        self._now: list[tuple[float, int, Subscription]] = []
        """A heap of what is due in the second that has begun, or was due before."""
        self._number = 0

    def __len__(self) -> int:
        return len(self._now) + sum(map(len, self._slots.values()))

    def arm(self, subscription: Subscription, at: float) -> None:
        """Name it at `at`, or before: one entry is enough, the earliest."""
        if at >= subscription.alarm_at:
            return
        subscription.alarm_at = at
        second = int(at)
        slot = self._slots.get(second)
        if slot is None:
            self._slots[second] = [subscription]
            self._first[second] = at
            heapq.heappush(self._seconds, second)
            return
        slot.append(subscription)
        self._first[second] = min(self._first[second], at)

    def forget(self, subscription: Subscription) -> None:
        """It has ended: it is not named any more, and kept no longer than as many as live beside it.

        Else whoever subscribes for a day and ends it at once, again and again, would fill the memory.
        """
        at = subscription.alarm_at
        if at == _NEVER:
            return
        subscription.alarm_at = _NEVER
        second = int(at)
        slot = self._slots.get(second)
        if slot is None:
            return
        over = self._over.pop(second, 0) + 1
        if 2 * over > len(slot):
            slot[:] = [one for one in slot if second <= one.alarm_at < second + 1]
        else:
            self._over[second] = over

    def next_deadline(self) -> float | None:
        """When the next one is due; None when there is none."""
        times = [self._first[self._seconds[0]]] if self._seconds else []
        if self._now:
            times.append(self._now[0][0])
        return min(times, default=None)

    def due(self, now: float) -> Iterator[Subscription]:
        """Those whose time has come, each once."""
        while self._seconds and self._seconds[0] <= now:
            second = heapq.heappop(self._seconds)
            del self._first[second]
            self._over.pop(second, None)
            for subscription in self._slots.pop(second):
                if second <= subscription.alarm_at < second + 1:  # else it was armed anew since
                    self._number += 1
                    heapq.heappush(self._now, (subscription.alarm_at, self._number, subscription))
        while self._now and self._now[0][0] <= now:
            at, _, subscription = heapq.heappop(self._now)
            if subscription.alarm_at == at:  # else it has had this one
                subscription.alarm_at = _NEVER
                yield subscription
