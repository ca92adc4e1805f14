"""How fast changes are told (design.md section 7): no faster than allowed, than the network takes, than peers answer.

Three bounds. The operator's: so many NOTIFYs a second, so many unanswered at once. The network's: when phones answer
only what was sent again, packets are being lost, and fewer are sent at once until they are not. The peer's: who has
not answered for T1, be it an edge proxy with ten thousand phones behind it or a connection that nobody reads, is sent
a few NOTIFYs until he is heard again; the others behind him wait, and hold up nobody.
"""

from collections import deque
from dataclasses import dataclass, field

from .flow import Endpoint, Flow
from .subscription import Subscription

PROBES = 8
"""NOTIFYs that are sent to a peer which does not answer."""
MIN_WINDOW = 16.0
"""Unanswered NOTIFYs that are allowed however much is lost."""
LOSS = 0.02
"""Share of answers that came only to what was sent again from which on it is loss: a phone or two may be slow."""
SAMPLE = 20
"""Answers that a share is made of, at least."""
PAUSE = 1.0
"""Seconds after which loss may slow it down once more: what was on its way has had its time."""
SLOWER, FASTER = 0.7, 0.05
"""The window shrinks to so much of it at once, and grows by so much of a NOTIFY with each that is answered."""

Peer = tuple[str, Endpoint]
"""Everybody behind an address and port, or behind a connection."""


@dataclass(slots=True)
class _Silent:
    """A peer that has not answered for T1."""

    probes: set[str] = field(default_factory=set)
    """The branches of what is on its way to him."""
    waiting: deque[Subscription] = field(default_factory=deque)
    """Whoever is behind him. There is a probe as long as there is one."""


class Pacing:
    """A queue of subscriptions that are owed a NOTIFY about a change. The immediate NOTIFY of a SUBSCRIBE passes by."""

    def __init__(self, rate: float, in_flight: int) -> None:
        self._rate = rate
        self._in_flight = in_flight
        self._window = float(in_flight)
        self._queue: deque[Subscription] = deque()
        self._slots: dict[str, Peer] = {}
        self._silent: dict[Peer, _Silent] = {}
        self._parked = 0
        self._next_free = 0.0
        self._blocked_until: float | None = None
        self._answers = self._late = 0
        self._slow_again_at = 0.0

    def __len__(self) -> int:
        return len(self._queue) + self._parked

    @property
    def window(self) -> float:
        """Unanswered NOTIFYs that are allowed now."""
        return self._window

    def append(self, subscription: Subscription) -> None:
        """Queue it; it is looked at again when its turn comes."""
        self._queue.append(subscription)

    def pop(self, now: float) -> Subscription | None:
        """The next subscription whose NOTIFY may go now, or None."""
        self._blocked_until = None
        while self._queue and len(self._slots) < self._window:
            if self._next_free > now + 0.001:
                self._blocked_until = self._next_free
                return None
            subscription = self._queue.popleft()
            if self._silent and (silent := self._silent.get(peer_of(subscription.flow))) is not None:
                if len(silent.probes) >= PROBES:
                    silent.waiting.append(subscription)
                    self._parked += 1
                    continue
            # At most a tenth of a second's worth may go at once after a pause.
            self._next_free = max(self._next_free, now - 0.1) + 1 / self._rate
            return subscription
        return None

    def take_slot(self, branch: str, peer: Peer) -> None:
        """A NOTIFY goes out to `peer`."""
        self._slots[branch] = peer
        silent = self._silent.get(peer)
        if silent is not None:
            silent.probes.add(branch)

    def free_slot(self, branch: str, peer: Peer | None) -> None:
        """It is on its way no more, however it ended; None for `peer` when it has not left."""
        peer = self._slots.pop(branch, peer)
        silent = self._silent.get(peer) if peer is not None else None
        if silent is not None and branch in silent.probes:
            silent.probes.discard(branch)
            if silent.waiting:
                self._queue.append(silent.waiting.popleft())
                self._parked -= 1
            elif not silent.probes and peer is not None:
                del self._silent[peer]  # nobody waits for him; who comes next finds out anew

    def passed(self, subscription: Subscription) -> None:
        """Its turn came, and nothing left for its peer: who waits behind that one goes in its place."""
        peer = peer_of(subscription.flow)
        silent = self._silent.get(peer) if self._silent else None
        if silent is None:
            return
        if silent.waiting:
            self._queue.append(silent.waiting.popleft())
            self._parked -= 1
        elif not silent.probes:
            del self._silent[peer]

    def is_silent(self, branch: str) -> None:
        """It has not been answered for T1: it gives its place up, or the silent would hold up all others for 32 s."""
        peer = self._slots.pop(branch, None)
        if peer is not None:
            silent = self._silent.setdefault(peer, _Silent())
            silent.probes.add(branch)

    def heard(self, peer: Peer, now: float, *, late: bool) -> None:
        """An answer came from `peer`; `late`: to what had been sent again over UDP."""
        if self._silent and (silent := self._silent.pop(peer, None)) is not None:
            self._queue.extend(silent.waiting)
            self._parked -= len(silent.waiting)
        self._answers += 1
        self._late += late
        if self._answers >= SAMPLE and self._late > LOSS * self._answers:
            if now >= self._slow_again_at:
                self._window = max(min(MIN_WINDOW, self._in_flight), SLOWER * self._window)
                self._slow_again_at = now + PAUSE
            self._answers = self._late = 0
        elif self._window < self._in_flight:
            self._window = min(self._in_flight, self._window + FASTER)
        if self._answers >= 10 * SAMPLE:
            self._answers = self._late = 0

    @property
    def is_ready(self) -> bool:
        """Whether somebody could be told at once."""
        return bool(self._queue) and self._blocked_until is None and len(self._slots) < self._window

    def next_deadline(self) -> float | None:
        """When the rate allows the next one; None when nothing waits for the clock."""
        return self._blocked_until


def peer_of(flow: Flow) -> Peer:
    """Whose silence is one: everybody behind an address and port, or behind a connection."""
    return flow.transport, flow.remote
