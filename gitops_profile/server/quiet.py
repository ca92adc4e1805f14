"""What phones make the server say must not fill its disk (I9): so many WARNINGs a minute, and then a number."""

import logging
import time
from collections.abc import Callable

MINUTE = 60.0
WARNINGS = 60
"""In a minute; the metrics count all of them."""


class Budget:
    """The WARNINGs of one kind."""

    def __init__(self, logger: logging.Logger, what: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`what` they are about, for the line that says how many were left out."""
        self._logger = logger
        self._what = what
        self._monotonic = monotonic
        self._until = 0.0
        self._said = 0

    def warn(self, message: str, *arguments: object) -> None:
        """Log it as WARNING; as DEBUG when the minute has had its share."""
        now = self._monotonic()
        if now >= self._until:
            if self._said > WARNINGS:
                self._logger.warning("%s not logged count=%d", self._what, self._said - WARNINGS)
            self._until, self._said = now + MINUTE, 0
        self._said += 1
        self._logger.log(logging.WARNING if self._said <= WARNINGS else logging.DEBUG, message, *arguments)
