"""The bound on guessing names: a source that asks for too many devices that it may not have is not listened to."""

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Source:
    names: dict[str, float] = field(default_factory=dict)
    """What it asked for in vain, and when last."""
    until: float = 0.0


class MissBudget:
    """Counts the different devices that a source asked for in vain, in a table of bounded size.

    A phone that nobody provisioned yet asks for itself again and again: that is one. More than `count` different ones
    within `seconds` ban the source for `ban` seconds. All times are seconds of one clock.
    """

    def __init__(self, count: int, seconds: float, ban: float, *, capacity: int = 10_000) -> None:
        self._count = count
        self._seconds = seconds
        self._ban = ban
        self._capacity = capacity
        self._sources: OrderedDict[str, _Source] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sources)

    def banned_for(self, source: str, now: float) -> float:
        """Seconds for which the source is not listened to; 0.0 when it is welcome."""
        entry = self._sources.get(source)
        if entry is None or entry.until <= now:
            return 0.0
        return min(entry.until - now, self._ban)  # a clock that was set back must not ban for longer

    def missed(self, source: str, name: str, now: float) -> tuple[bool, bool]:
        """Count one; whether it is another one than before, and whether the source is banned from here on."""
        entry = self._entry(source)
        is_new = name not in entry.names or now - entry.names[name] > self._seconds
        entry.names.pop(name, None)
        entry.names[name] = now
        for old in [old for old, at in entry.names.items() if now - at > self._seconds]:
            del entry.names[old]
        if len(entry.names) <= self._count:
            return is_new, False
        self._close(entry, now)
        return is_new, True

    def ban(self, source: str, now: float) -> None:
        """Listen to the source no more, whatever it asked for."""
        self._close(self._entry(source), now)

    def _close(self, entry: _Source, now: float) -> None:
        entry.until = now + self._ban
        entry.names.clear()

    def _entry(self, source: str) -> _Source:
        entry = self._sources.get(source)
        if entry is None:
            entry = self._sources[source] = _Source()
            if len(self._sources) > self._capacity:
                # Whoever is banned stays so as long as anybody else can be forgotten.
                gone = next((name for name, one in self._sources.items() if not one.until), next(iter(self._sources)))
                del self._sources[gone]
        self._sources.move_to_end(source)
        return entry
