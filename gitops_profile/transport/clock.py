"""The clock of the notifier: unix seconds that never go back, and whether the wall clock still agrees."""

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

JUMP = 2.0
"""Seconds between the two clocks that are no drift any more."""
LOOK_EVERY = 1.0
"""Seconds between two comparisons."""


class Clock:
    """The wall clock as it was at the start, carried on by the monotonic one.

    A wall clock that is set must neither end subscriptions early nor keep them for ever, so no jump is adopted: it is
    told, once, and from then on the next one is measured. (A machine that slept looks the same: its subscriptions
    then live longer than their phones count with, until a NOTIFY or a refresh shows who is left.)
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        on_jump: Callable[[float], None] | None = None,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`on_jump` gets the seconds that the wall clock went ahead (or, negative, back)."""
        self._monotonic = monotonic
        self._wall = wall
        self._on_jump = on_jump
        self.offset = wall() - monotonic()
        """Seconds from the monotonic clock to `now`."""
        self._known = self.offset
        self._looked = monotonic()

    def now(self) -> float:
        """Unix seconds that never go back."""
        return self.offset + self._monotonic()

    def check(self) -> None:
        """Compare with the wall clock, if that was not done just now."""
        monotonic = self._monotonic()
        if monotonic - self._looked < LOOK_EVERY:
            return
        self._looked = monotonic
        jumped = self._wall() - monotonic - self._known
        if abs(jumped) <= JUMP:
            return
        self._known += jumped
        logger.warning("the wall clock jumped seconds=%.1f; subscriptions keep their time", jumped)
        if self._on_jump is not None:
            self._on_jump(jumped)
