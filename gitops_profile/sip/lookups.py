"""What is known about next hops: names that the shell looks up, and who does not listen on TCP."""

from .flow import Endpoint
from .routing import Hop, Target
from .subscription import Subscription

SILENT_FOR = 600.0
"""Seconds that a refused TCP connection is remembered: most phones never listen on TCP."""
MAX_REMEMBERED = 100_000
GOOD_FOR = 5.0
"""Seconds that an answer is used: how long it really is good for is the resolver's to know."""


class Lookups:
    """Questions for the shell (RFC 3263), each asked once however many subscriptions wait for it."""

    def __init__(self) -> None:
        self._asked: list[Hop] = []
        self._waiting: dict[Hop, dict[str, Subscription]] = {}
        self._answers: dict[Hop, tuple[float, list[Target]]] = {}
        self._wanted: Hop | None = None
        self._silent: dict[Endpoint, float] = {}

    def find(self, hop: Hop, now: float) -> list[Target] | None:
        """The answer; None while there is none, and `wait` is for this hop."""
        until, targets = self._answers.get(hop, (0.0, []))
        if until > now:
            return targets
        self._wanted = hop
        return None

    def wait(self, subscription: Subscription) -> None:
        """The subscription's NOTIFY waits for the hop that `find` did not know."""
        hop = self._wanted
        assert hop is not None
        if hop not in self._waiting:
            self._waiting[hop] = {}
            self._asked.append(hop)
        self._waiting[hop][subscription.id] = subscription

    def take(self) -> list[Hop]:
        """What is to be looked up now."""
        asked, self._asked = self._asked, []
        return asked

    def answer(self, hop: Hop, targets: list[Target], now: float) -> list[Subscription]:
        """Note an answer; who waited for it."""
        if len(self._answers) >= MAX_REMEMBERED:
            self._answers.clear()
        self._answers[hop] = now + GOOD_FOR, targets
        return list(self._waiting.pop(hop, {}).values())

    def does_not_listen(self, remote: Endpoint, now: float) -> None:
        """A TCP connection to `remote` failed."""
        if len(self._silent) >= MAX_REMEMBERED:
            self._silent.clear()
        self._silent[remote] = now + SILENT_FOR

    def may_listen(self, remote: Endpoint, now: float) -> bool:
        """Whether TCP is worth a try."""
        return self._silent.get(remote, 0.0) <= now
