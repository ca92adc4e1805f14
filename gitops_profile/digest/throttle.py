"""The bound on guessing: a source that fails too often has to wait, longer each time."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(slots=True)
class _Failures:
    times: deque[float]
    blocks: int = 0
    until: float = 0.0


class Throttle:
    """Counts failed authentications by source, such as an address, in a table of bounded size.

    `failures` of them within `window` seconds block the source for `first_block` seconds; each failure after that for
    twice as long as before, up to `longest_block`. A success, or `window` seconds without a failure or a block, clears
    it. All times are seconds of one clock, best one that is never set. When the table is full, the source that failed
    longest ago is forgotten.
    """

    def __init__(
        self,
        *,
        failures: int = 10,
        window: float = 60.0,
        first_block: float = 1.0,
        longest_block: float = 60.0,
        capacity: int = 10_000,
    ) -> None:
        self._failures = failures
        self._window = window
        self._first_block = first_block
        self._longest_block = longest_block
        self._capacity = capacity
        self._sources: OrderedDict[Hashable, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sources)

    def blocked_for(self, source: Hashable, now: float) -> float:
        """Seconds for which the source is not to be listened to; 0.0 when it is welcome."""
        entry = self._sources.get(source)
        if entry is None or entry.until <= now:
            return 0.0
        return min(entry.until - now, self._longest_block)  # a clock that was set back must not block for longer

    def failed(self, source: Hashable, now: float) -> float:
        """Count a failure; the seconds for which the source is blocked now, as `blocked_for`.

        Above 0.0 is the moment for a line in the log. Missing credentials are no failure: everybody begins without.
        """
        entry = self._sources.get(source)
        if entry is None or now - max(entry.times[-1], entry.until) > self._window:
            entry = self._sources[source] = _Failures(deque(maxlen=self._failures))
        entry.times.append(now)
        self._sources.move_to_end(source)
        if len(self._sources) > self._capacity:
            self._sources.popitem(last=False)
        within = len(entry.times) == self._failures and now - entry.times[0] <= self._window
        if entry.blocks or within:
            entry.until = now + min(self._first_block * 2.0 ** min(entry.blocks, 64), self._longest_block)
            entry.blocks += 1
        return self.blocked_for(source, now)

    def succeeded(self, source: Hashable) -> None:
        """Clear it."""
        self._sources.pop(source, None)
