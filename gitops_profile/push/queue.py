"""When a phone is told: some time after the last change, so that five merges in a minute are one check-sync."""

import heapq
import zlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds."""

    settle: float = 60.0
    """After the last change; a further one begins it anew."""
    longest: float = 300.0
    """After the first change, whatever comes."""
    spread: float = 30.0
    """Over which the phones of one change are told: one wave would have all of them fetch at once."""


class PushQueue:
    """The phones that are to be told, each once, and when. It keeps no version: what is told is decided then."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._first: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, device: str) -> bool:
        return device in self._due

    def want(self, device: str, now: float, *, urgent: bool = False, within: float | None = None) -> None:
        """Its document is another one. `urgent`: do not wait for more; `within`: spread over no more seconds."""
        first = self._first[device] = min(now, self._first.get(device, now))  # what `again` left may be hours ahead
        settle = 0.0 if urgent else min(now + self._waits.settle, first + self._waits.longest) - now
        at = now + max(0.0, settle) + (0.0 if urgent else self._turn(device, within))
        self._put(device, min(at, self._due[device]) if urgent and device in self._due else at)

    def seen(self, device: str, now: float) -> None:
        """It is there and has not what it should: told after a pause in which it may fetch that by itself."""
        self.again(device, now + self._waits.settle + self._turn(device, None))

    def opens(self, device: str, at: float, *, within: float | None = None) -> None:
        """It may be told from this time on, as may others: each has its turn."""
        self.again(device, at + self._turn(device, within))

    def again(self, device: str, at: float) -> None:
        """Look at it at this time, or before if it is to be told before."""
        self._first.setdefault(device, at)
        if at < self._due.get(device, float("inf")):
            self._put(device, at)

    def drop(self, device: str) -> None:
        """It need not be told any more."""
        self._first.pop(device, None)
        self._due.pop(device, None)

    def take_due(self, now: float, limit: int) -> list[str]:
        """Those whose time has come, at most `limit`; they wait no more."""
        taken: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(taken) < limit:
            at, device = heapq.heappop(self._heap)
            if self._due.get(device) == at:
                self.drop(device)
                taken.append(device)
        return taken

    def next_deadline(self) -> float | None:
        """When `take_due` is wanted next."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _turn(self, device: str, within: float | None) -> float:
        """Seconds after the first of its wave."""
        return (self._waits.spread if within is None else min(self._waits.spread, within)) * _place(device)

    def _put(self, device: str, at: float) -> None:
        if self._due.get(device) == at:
            return
        self._due[device] = at
        heapq.heappush(self._heap, (at, device))


def _place(device: str) -> float:
    """The phone's place in a wave, from 0 to 1: the same each time, so that a later change keeps the order."""
    return zlib.crc32(device.encode("utf-8", "surrogateescape")) / 2**32
