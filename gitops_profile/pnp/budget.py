"""So many within so long: of all together, and of each that can be told apart (invariant I9)."""

from collections import OrderedDict, deque


class Budget:
    """At most `limit` within `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._spent: deque[float] = deque()

    def has_room(self, *, now: float) -> bool:
        """Whether one more may be."""
        while self._spent and self._spent[0] <= now - self._seconds:
            self._spent.popleft()
        return len(self._spent) < self._limit

    def spend(self, *, now: float) -> bool:
        """Count one more; False, and nothing counted, when there is no room."""
        room = self.has_room(now=now)
        if room:
            self._spent.append(now)
        return room


class Budgets:
    """A budget for each key; of more keys than `remembered`, the one that was quiet longest starts anew."""

    def __init__(self, limit: int, seconds: float, remembered: int) -> None:
        self._limit = limit
        self._seconds = seconds
        self._remembered = remembered
        self._of: OrderedDict[str, Budget] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def spend(self, key: str, *, now: float) -> bool:
        """Count one more of this key; False when it has had its share."""
        mine = self._of.get(key)
        if mine is None:
            mine = self._of[key] = Budget(self._limit, self._seconds)
        self._of.move_to_end(key)
        if len(self._of) > self._remembered:
            self._of.popitem(last=False)
        return mine.spend(now=now)
