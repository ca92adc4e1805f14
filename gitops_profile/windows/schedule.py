"""Whether changes may go out now, and when they may next."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from gitops_profile.presentity import Window

from .cron import starts, usable_zone
from .duration import duration_text

MAX_STEPS = 2000
"""Window starts that one question looks at; what opens only behind them is not in sight (about 20 ms)."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Closed:
    """Changes have to wait."""

    until: float
    """Unix seconds; inf when no opening is in sight."""
    by: Window | None
    """The deny window that is on; None outside of the allow windows."""


class Schedule:
    """The windows of one policy. It is open in an allow window, or always when there is none; a deny window shuts it.

    A window begins when its cron says so and lasts so many seconds, whatever the clock on the wall does meanwhile.
    """

    def __init__(self, windows: Iterable[Window]) -> None:
        """Raises UnusableCron, as for a time zone that this machine does not know."""
        known = [(window, usable_zone(window.cron, window.timezone)) for window in windows]
        self._allow = [one for one in known if one[0].allows]
        self._deny = [one for one in known if not one[0].allows]

    def opens(self, now: float) -> float | None:
        """None when it is open now; else when it opens, in Unix seconds, inf when that is not in sight."""
        closed = self.closed(now)
        return closed.until if closed is not None else None

    def closed(self, now: float) -> Closed | None:
        """None when it is open at `now`, in Unix seconds."""
        first: Closed | None = None
        at, budget = now, _Budget(MAX_STEPS)
        while at < NEVER:
            by, again = self._next_chance(at, budget)
            if again is None:
                break
            first = first or Closed(NEVER, by)
            at = again if not budget.spent else NEVER
        return Closed(at, first.by) if first is not None else None

    def _next_chance(self, at: float, budget: "_Budget") -> tuple[Window | None, float | None]:
        """What shuts it at `at`, and when that is worth another look; None for the time when it is open."""
        for window, timezone in self._deny:
            end = _end_of_run(window, budget.limit(starts(window.cron, timezone, at - window.seconds)), at)
            if end is not None:
                return window, end
        if not self._allow:
            return None, None
        soonest = NEVER
        for window, timezone in self._allow:
            start = next(budget.limit(starts(window.cron, timezone, at - window.seconds)), NEVER)
            if start <= at:
                return None, None
            soonest = min(soonest, start)
        return None, soonest


class _Budget:
    """How much one question may still look at."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    @property
    def spent(self) -> bool:
        return self._steps <= 0

    def limit(self, moments: Iterator[float]) -> Iterator[float]:
        for moment in islice(moments, max(self._steps, 1)):
            self._steps -= 1
            yield moment


def _end_of_run(window: Window, begins: Iterator[float], at: float) -> float | None:
    """When the windows end that are on at `at`, one behind the other without a gap; None when none is on."""
    end: float | None = None
    for start in begins:
        if start > (at if end is None else end):
            break
        end = start + window.seconds
    return end


def describe(window: Window) -> str:
    """A window in words."""
    kind = "allow" if window.allows else "deny"
    return f"in the {kind} window {window_text(window)}"


def window_text(window: Window) -> str:
    """When it begins and how long it lasts."""
    return f"{window.cron} ({window.timezone}) for {duration_text(window.seconds)}"
