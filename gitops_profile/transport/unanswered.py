"""Requests of ours that were sent on a connection and may be unanswered when it ends (RFC 3261 §17.1.4)."""

from collections import deque

KEPT = 32.0
"""Seconds: Timer F, which ends the transaction in any case."""
MOST = 1000
"""As many as may be unanswered at all (`notify.in_flight`); of more, the oldest wait for Timer F."""


class Unanswered:
    """The NOTIFYs that left last, with or without an answer: who made them knows of which he waits for one."""

    __slots__ = ("_sent",)

    def __init__(self) -> None:
        self._sent: deque[tuple[float, bytes]] = deque(maxlen=MOST)

    def __bool__(self) -> bool:
        return bool(self._sent)

    def sent(self, data: bytes, now: float) -> None:
        """Something was sent; of a NOTIFY as much is kept as says which it is."""
        if not data.startswith(b"NOTIFY "):
            return
        while self._sent and self._sent[0][0] < now - KEPT:
            self._sent.popleft()
        branch = data.find(b";branch=", data.find(b"\r\nVia: "))
        self._sent.append((now, data[: data.find(b"\r\n", branch) + 2]))

    def take(self, now: float) -> list[bytes]:
        """The beginnings of those that may be waited for."""
        taken = [data for at, data in self._sent if at >= now - KEPT]
        self._sent.clear()
        return taken
