"""What happens in a worker, told to the main process, which counts and logs for all: what is frequent as counts."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from gitops_profile.sip import (
    AuthenticationFailed,
    MessageRefused,
    NotifyAnswered,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionRefreshed,
    SubscriptionStarted,
)
from gitops_profile.transport import Reason, TransportRefused

EVERY = 0.1
"""Seconds between two reports."""
MAX_EVENTS = 10_000
"""Of one report that are told one by one; of what goes beyond, nobody could read the lines either."""
_TYPES: tuple[type, ...] = (
    AuthenticationFailed, MessageRefused, NotifyAnswered, SubscriptionEnded, SubscriptionRefreshed, SubscriptionStarted,
)  # fmt: skip
Report = tuple[list[tuple[int, list[Any]]], dict[int, list[float]], int, dict[str, int]]
"""Events one by one, as the number of their type and their fields; seconds of answered NOTIFYs, by status;
subscriptions started; connections refused, by reason."""


class Reports:
    """A worker's end. Needs a running loop."""

    def __init__(self, say: Callable[[Report], None], *, is_single: Callable[[SubscriptionEvent], bool]) -> None:
        """`is_single` says of an event that somebody wants to know it and not only that there was one."""
        self._say = say
        self._is_single = is_single
        self._loop = asyncio.get_running_loop()
        self._events: list[tuple[int, list[Any]]] = []
        self._answered: dict[int, list[float]] = {}
        self._started = 0
        self._refused: Counter[str] = Counter()
        self._due = False

    def sip_event(self, event: SubscriptionEvent) -> None:
        """What happened to a subscription, or to a message."""
        if self._is_single(event):
            if len(self._events) < MAX_EVENTS:
                values = [_printable(getattr(event, name)) for name in type(event).__slots__]
                self._events.append((_TYPES.index(type(event)), values))
        elif isinstance(event, NotifyAnswered):
            self._answered.setdefault(event.status, []).append(event.seconds)
        elif isinstance(event, SubscriptionStarted):
            self._started += 1
        else:
            return
        self._wake()

    def connection_refused(self, refused: TransportRefused) -> None:
        """A connection was refused, or cut off at a bound."""
        self._refused[refused.reason] += 1
        self._wake()

    def flush(self) -> None:
        """Tell what there is."""
        self._due = False
        report = (self._events, self._answered, self._started, dict(self._refused))
        self._events, self._answered, self._started = [], {}, 0
        self._refused.clear()
        self._say(report)

    def _wake(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_later(EVERY, self.flush)


class Audience(Protocol):
    """Whoever counts and logs."""

    def notifies_answered(self, status: int, seconds: list[float]) -> None:
        """Some NOTIFYs came to an end with this status, after so long."""

    def subscriptions_started(self, count: int) -> None:
        """So many subscriptions began."""

    def connection_refused(self, refused: TransportRefused) -> None:
        """A connection was refused."""


def tell(report: Report, on_event: Callable[[SubscriptionEvent], None], audience: Audience) -> None:
    """The main process's end: what is told one by one is given to `on_event`."""
    events, answered, started, refused = report
    for number, values in events:
        on_event(_TYPES[number](*values))
    for status, seconds in answered.items():
        audience.notifies_answered(status, seconds)
    if started:
        audience.subscriptions_started(started)
    for reason, count in refused.items():
        for _ in range(count):
            audience.connection_refused(TransportRefused("", Reason(reason)))


def is_worth_a_line(event: SubscriptionEvent) -> bool:
    """What is logged above DEBUG, or about a device, which says by it who it is."""
    match event:
        case SubscriptionStarted():
            return event.resource.startswith("device/")
        case NotifyAnswered():
            return event.status >= 300
        case SubscriptionRefreshed():
            return False
        case _:
            return True


def _printable(value: Any) -> Any:
    """Text as it can travel, and be logged: bytes of a peer that are no UTF-8 are written as escapes."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
