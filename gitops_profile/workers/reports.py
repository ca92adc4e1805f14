"""What happens in a worker, told to the main process, which counts and logs for all: what is frequent as counts."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from gitops_profile.sip import (
    AuthenticationFailed,
    MessageRefused,
    NotifyAnswered,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionRefreshed,
    SubscriptionStarted,
)
from gitops_profile.transport import TransportRefused

EVERY = 0.1
"""Seconds between two reports."""
MAX_EVENTS = 10_000
"""Of one report that are told one by one; what goes beyond is counted, for nobody could read the lines."""
_TYPES: tuple[type, ...] = (
    AuthenticationFailed, MessageRefused, NotifyAnswered, SubscriptionEnded, SubscriptionRefreshed, SubscriptionStarted,
)  # fmt: skip


class Report(msgspec.Struct, array_like=True):
    """What happened since the last one."""

    events: list[tuple[int, list[Any]]] = []
    """One by one: the number of the type, and its fields."""
    answered: dict[int, list[float]] = {}
    """Seconds of NOTIFYs that came to an end, by status."""
    started: int = 0
    """Subscriptions."""
    ended: dict[str, int] = {}
    """Subscriptions, by reason."""
    refused: dict[int, int] = {}
    """Messages, by status."""
    connections: dict[str, int] = {}
    """That were refused, by reason."""


class Reports:
    """A worker's end. Needs a running loop."""

    def __init__(self, say: Callable[[Report], None], *, is_single: Callable[[SubscriptionEvent], bool]) -> None:
        """`is_single` says of an event that somebody wants to know it, and not only that there was one."""
        self._say = say
        self._is_single = is_single
        self._loop = asyncio.get_running_loop()
        self._report = Report()
        self._due: asyncio.Handle | None = None
        self._at_once = False

    def sip_event(self, event: SubscriptionEvent) -> None:
        """What happened to a subscription, or to a message."""
        report = self._report
        if self._is_single(event) and len(report.events) < MAX_EVENTS:
            values = [_printable(value) for value in msgspec.structs.astuple(event)]
            report.events.append((_TYPES.index(type(event)), values))
            if isinstance(event, SubscriptionStarted):
                self._hurry()
        else:
            match event:
                case NotifyAnswered():
                    report.answered.setdefault(event.status, []).append(event.seconds)
                case SubscriptionStarted():
                    report.started += 1
                case SubscriptionEnded():
                    report.ended[event.reason] = report.ended.get(event.reason, 0) + 1
                case MessageRefused():
                    report.refused[event.status] = report.refused.get(event.status, 0) + 1
                case _:
                    return
        self._wake()

    def connection_refused(self, refused: TransportRefused) -> None:
        """A connection was refused, or cut off at a bound."""
        connections = self._report.connections
        connections[refused.reason] = connections.get(refused.reason, 0) + 1
        self._wake()

    def flush(self) -> None:
        """Tell what there is."""
        if self._due is not None:
            self._due.cancel()
        self._due, self._at_once = None, False
        report, self._report = self._report, Report()
        self._say(report)

    def _wake(self) -> None:
        if self._due is None:
            self._due = self._loop.call_later(EVERY, self.flush)

    def _hurry(self) -> None:
        """Tell it in this turn: before the batch that may end the subscription, for whoever wants to look at it."""
        if not self._at_once:
            if self._due is not None:
                self._due.cancel()
            self._at_once, self._due = True, self._loop.call_soon(self.flush)


class Listener(Protocol):
    """Whoever counts for all."""

    def notifies_answered(self, status: int, seconds: list[float]) -> None:
        """Some NOTIFYs came to an end with this status, after so long."""

    def subscriptions_started(self, count: int) -> None:
        """So many subscriptions began."""

    def subscriptions_ended(self, reason: str, count: int) -> None:
        """So many are over."""

    def messages_refused(self, status: int, count: int) -> None:
        """So many were refused."""

    def connections_refused(self, reason: str, count: int) -> None:
        """So many were refused, or cut off."""


def tell(said: Any, on_event: Callable[[SubscriptionEvent], None], listener: Listener) -> None:
    """The main process's end; `said` is a Report as it travelled, `on_event` is given what is told one by one."""
    report = msgspec.convert(said, Report)
    for number, values in report.events:
        on_event(_TYPES[number](*values))
    for status, seconds in report.answered.items():
        listener.notifies_answered(status, seconds)
    if report.started:
        listener.subscriptions_started(report.started)
    for reason, count in report.ended.items():
        listener.subscriptions_ended(reason, count)
    for status, count in report.refused.items():
        listener.messages_refused(status, count)
    for reason, count in report.connections.items():
        listener.connections_refused(reason, count)


def is_worth_a_line(event: SubscriptionEvent) -> bool:
    """What is logged above DEBUG, or about a device, which says by it who it is."""
    match event:
        case SubscriptionStarted():
            return event.resource.startswith("device/")
        case NotifyAnswered():
            return event.status >= 300
        case _:
            return isinstance(event, AuthenticationFailed)


def _printable(value: Any) -> Any:
    """Text as it can travel, and be logged: bytes of a peer that are no UTF-8 are written as escapes."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
