"""When a remote is asked next: at intervals, sooner and then less and less often after failures, never too often."""

from collections.abc import Callable

FLOOR = 1.0
"""Seconds between the beginnings of two fetches, however often somebody asks for one."""
FIRST_RETRY = 5.0
LAST_RETRY = 300.0
JITTER = 0.1
"""Share of a pause by which it is longer or shorter, so that many servers do not ask at the same time."""


class FetchSchedule:
    """Pure: `now` is in seconds of any clock that only goes on."""

    def __init__(self, interval: float, chance: Callable[[], float]) -> None:
        """`interval` in seconds; `chance` gives numbers from 0 to 1."""
        self._interval = interval
        self._chance = chance
        self._failures = 0
        self._began: float | None = None
        self.due = 0.0
        """When the next one is due without anybody asking."""

    def begin(self, now: float) -> None:
        """A fetch begins."""
        self._began = now

    def succeeded(self, now: float, *, more: bool = False) -> None:
        """It went well; `more` when there is more to fetch at once."""
        self._failures = 0
        self.due = now if more else now + self._spread(self._interval)

    def failed(self, now: float) -> None:
        """It went wrong: 5 s, 10 s, … and at most five minutes, or the interval when that is longer."""
        pause = min(FIRST_RETRY * 2 ** min(self._failures, 16), max(LAST_RETRY, self._interval))
        self._failures += 1
        self.due = now + self._spread(pause)

    def floor(self, now: float) -> float:
        """Seconds until a fetch may begin at all."""
        return 0.0 if self._began is None else max(0.0, self._began + FLOOR - now)

    def pause(self, now: float) -> float:
        """Seconds until the next one is due."""
        return max(self.due - now, self.floor(now))

    def _spread(self, pause: float) -> float:
        return pause * (1 + JITTER * (2 * self._chance() - 1))
