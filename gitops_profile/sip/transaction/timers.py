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
