"""The bound on guessing names: a source that asks for too many devices that it may not have is not listened to."""

from collections import OrderedDict


class MissBudget:
    """Counts the different devices that a source asked for in vain, in tables of bounded size.

    A phone that nobody provisioned yet asks for itself again and again: that is one. More than `count` different ones
    within `seconds` ban the source for `ban` seconds. All times are seconds of one clock. When a table is full, the
    source that missed, or was banned, longest ago is forgotten.
    """

    def __init__(self, count: int, seconds: float, ban: float, *, capacity: int = 10_000) -> None:
        self._count = count
        self._seconds = seconds
        self._ban = ban
        self._capacity = capacity
        self._missing: OrderedDict[str, dict[str, float]] = OrderedDict()
        """By source: what it asked for in vain, and when last; in the order of the last miss."""
        self._banned: OrderedDict[str, float] = OrderedDict()
        """By source: when its ban ends; in that order."""

    def __len__(self) -> int:
        return len(self._missing) + len(self._banned)

    def banned_for(self, source: str, now: float) -> float:
        """Seconds for which the source is not listened to; 0.0 when it is welcome."""
        until = self._banned.get(source, 0.0)
        return min(max(0.0, until - now), self._ban)  # a clock that was set back must not ban for longer

    def missed(self, source: str, name: str, now: float) -> tuple[bool, bool]:
        """Count one; whether it is another one than before, and whether the source is banned from here on."""
        names = self._missing.setdefault(source, {})
        self._missing.move_to_end(source)
        is_new = name not in names or now - names[name] > self._seconds
        names.pop(name, None)
        names[name] = now
        while now - names[next(iter(names))] > self._seconds:
            del names[next(iter(names))]
        if len(names) > self._count:
            self.ban(source, now)
            return is_new, True
        if len(self._missing) > self._capacity:
            self._missing.popitem(last=False)
        return is_new, False

    def ban(self, source: str, now: float) -> None:
        """Listen to the source no more, whatever it asked for."""
        self._missing.pop(source, None)
        self._banned[source] = now + self._ban
        self._banned.move_to_end(source)
        while len(self._banned) > self._capacity or next(iter(self._banned.values())) <= now:
            self._banned.popitem(last=False)
