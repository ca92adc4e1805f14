"""What a soak has seen, and its summary."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

MEBI = 2**20
ALLOWED_GROWTH, ALLOWED_BYTES = 0.05, 4 * MEBI
"""Of memory between two quarters that should be alike."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory at a moment."""

    at: float
    """Seconds since the soak began."""
    bytes: int
    """Of the server's own processes."""
    git: int = 0
    """Of the git processes that it keeps: each has a cache of its own (core.deltaBaseCacheLimit, 96 MiB)."""


def slope(samples: Sequence[Sample]) -> float:
    """Bytes a second, by least squares; 0 for fewer than two samples."""
    if len(samples) < 2:
        return 0.0
    middle, mean = (sum(s.at for s in samples) / len(samples), sum(s.bytes for s in samples) / len(samples))
    spread = sum((sample.at - middle) ** 2 for sample in samples)
    return sum((sample.at - middle) * (sample.bytes - mean) for sample in samples) / spread if spread else 0.0


@dataclass
class Record:
    """Counts, times in seconds, and everything that went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    convergence: list[float] = field(default_factory=list)
    """From the moved ref until every phone that was on had the document; commits with a restart meanwhile apart."""
    through_restart: list[float] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)
    """From the start of the process to its ready line."""
    memory: list[Sample] = field(default_factory=list)
    """Of the server that was left running to the end."""
    failures: list[str] = field(default_factory=list)

    def fail(self, what: str) -> None:
        self.failures.append(what)

    def judge_memory(self) -> None:
        """Compare the second quarter of the samples, when it is warm, with the last."""
        quarter = len(self.memory) // 4
        if quarter < 2:
            self.fail("memory was watched for too short a time")
            return
        early = median(sample.bytes for sample in self.memory[quarter : 2 * quarter])
        late = median(sample.bytes for sample in self.memory[-quarter:])
        if late > early * (1 + ALLOWED_GROWTH) + ALLOWED_BYTES:
            self.fail(f"memory grew from {early / MEBI:.1f} to {late / MEBI:.1f} MiB")

    def summary(self, minutes: float, phones: int, users: int) -> str:
        """Markdown."""
        warm = self.memory[len(self.memory) // 4 :]
        an_hour = slope(warm) * 3600 / MEBI
        shown = f"{warm[0].bytes / MEBI:.1f} → {warm[-1].bytes / MEBI:.1f} MiB" if warm else "–"
        rows = {
            "ran": f"{minutes:g} minutes, {phones:,} phones, {users:,} profiles",
            "subscribed, refreshed": f"{self.counts['initial']:,}, {self.counts['refresh']:,}",
            "switched off and on again": f"{self.counts['off']:,}; {self.counts['gone']:,} had been given up by then",
            "commits (of them taking one back)": f"{self.counts['commit']:,} ({self.counts['revert']:,})",
            "changes due to phones": f"{self.counts['due']:,}; {self.counts['done']:,} acknowledged, "
            f"{self.counts['off in time']:,} switched off before",
            "NOTIFYs, sent again": f"{self.counts['notify']:,}, {self.counts['repeated']:,}",
            "killed (-9), stopped": f"{self.counts['kill']:,}, {self.counts['stop']:,}",
            "restart to ready": _spread(self.restarts),
            "ref moved to last phone": _spread(self.convergence),
            "the same with a restart meanwhile": _spread(self.through_restart),
            "told again what it had": f"{self.counts['same']:,}",
            "refreshes whose NOTIFY died with the server": f"{self.counts['cut off']:,}",
            "subscriptions held at the end": f"{self.counts['held']:,}",
            "500 to what was sent again over a restart": f"{self.counts['repetition']:,}",
            "memory, once warm": f"{shown}, {an_hour:+.2f} MiB/h over {warm[-1].at - warm[0].at:.0f} s"
            if warm
            else "–",
            "memory of its git processes": f"{warm[0].git / MEBI:.1f} → {warm[-1].git / MEBI:.1f} MiB" if warm else "–",
            "verdict": "; ".join(self.failures[:20]) or "nothing lost, everything told, memory flat",
        }
        return "\n".join(["| soak | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "–"
    ordered = sorted(seconds)
    last = ordered[round(0.99 * (len(ordered) - 1))]
    return f"p50 {median(ordered):.2f} s, p99 {last:.2f} s, max {ordered[-1]:.2f} s ({len(ordered)})"
