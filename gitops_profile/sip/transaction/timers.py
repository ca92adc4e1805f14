"""T1, T2, T4 and what follows from them (RFC 3261 §17, Table 4), in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """The timer values of RFC 3261; smaller ones make a laboratory faster."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def timeout(self) -> float:
        """Timers B, F, H and J over datagrams: 64 × T1."""
        return 64 * self.t1

    @property
    def trying(self) -> float:
        """When Timer E of the sender has reached T2: a 100 must be sent by then, and not before (RFC 4320 §4.1)."""
        sent, interval = 0.0, self.t1
        while interval < self.t2:
            sent += interval
            interval *= 2
        return sent
