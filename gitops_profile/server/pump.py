"""A protocol core at its socket: its bytes go out, its events are told, and one timer stands for all its deadlines."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from gitops_profile.sip import Flow

Event = TypeVar("Event")
Event_co = TypeVar("Event_co", covariant=True)


class Core(Protocol[Event_co]):
    """What sends by itself: it takes bytes and `now`, and does no I/O."""

    def messages_to_send(self) -> Iterable[tuple[bytes, Flow]]:
        """What is to be sent now, in order."""

    def events(self) -> Iterable[Event_co]:
        """What happened since the last call."""

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is wanted next."""

    def handle_deadline(self, *, now: float) -> None:
        """Do what is due."""


class Pump(Generic[Event]):
    """One core's; needs a running loop."""

    def __init__(
        self,
        core: Core[Event],
        send: Callable[[bytes, Flow], object],
        on_event: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        """`clock` is the one that the core's deadlines are in, seconds."""
        self._core = core
        self._send = send
        self._on_event = on_event
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None

    def run(self) -> None:
        """Whenever the core was given something."""
        for data, flow in self._core.messages_to_send():
            self._send(data, flow)
        for event in self._core.events():
            self._on_event(event)
        self.close()
        deadline = self._core.next_deadline()
        if deadline is not None:
            pause = max(0.0, deadline - self._clock())
            self._timer = asyncio.get_running_loop().call_later(pause, self._due)

    def close(self) -> None:
        """No timer any more, until the next `run`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        self._core.handle_deadline(now=self._clock())
        self.run()
