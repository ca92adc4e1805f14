"""What is measured, by name, and how a row is judged. Rates per second, times in seconds, memory in bytes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .harness import Record

OPERATIONS = {"subscribe": "subscribe", "refresh": "refresh", "unsubscribe": "unsub", "fetch": "fetch"}
"""Our names of the rows, and the harness's."""
FANS = {"fan-many": "fanoutN", "fan-one": "fanout1"}
NAMES = (*OPERATIONS, *FANS, "restart", "memory")
NOISE = 0.05
"""Of two cores, used by others: the harness's README distrusts the wall clock above it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one server did in one row; trouble says why there is nothing, or why it does not count."""

    value: float | None = None
    cpu: float | None = None
    """Seconds for one operation."""
    trouble: str = ""
    noisy: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    fan: int
    held: int
    """Profiles and subscriptions of the rows restart and memory."""


def noisy(record: Record) -> bool:
    return float(record.get("foreign_cpu_s", 0)) > NOISE * 2 * float(record.get("wall_s", 1))


def trouble_of(records: Sequence[Record], test: str) -> str:
    """Why a test of the harness has no figure."""
    errors = [str(record["error"]) for record in records if record.get("test") == test and "error" in record]
    return errors[0] if errors else "no figure"


def operation(records: Sequence[Record], name: str) -> Figure:
    """A row of OPERATIONS."""
    for record in records:
        if record.get("op") == OPERATIONS[name]:
            wrong = record["wrongdoc"] + record["nobody"]
            trouble = f"{record['failed']} failed: {record['codes']}" if record["failed"] else ""
            trouble = trouble or (f"{wrong} wrong documents" if wrong else "")
            return Figure(record["per_s"], record["cpu_ms_per_op"] / 1e3, trouble, noisy(record))
    return Figure(trouble=trouble_of(records, "quick"))


def fan(records: Sequence[Record], name: str, count: int) -> Figure:
    """A row of FANS: from the moved ref (or the stored rows, or the first PUBLISH) to the last NOTIFY answered."""
    found = [record for record in records if record.get("test") == FANS[name] and "distinct" in record]
    if not found:
        return Figure(trouble=trouble_of(records, FANS[name]))
    cpu = median(record["cpu_ms_per_notify"] for record in found) / 1e3
    least = min(record["distinct"] for record in found)
    if least < count:
        return Figure(None, cpu, f"{least:,} of {count:,} told in time", any(map(noisy, found)))
    return Figure(median(record["s_after_store"] for record in found), cpu, noisy=any(map(noisy, found)))


def memory(records: Sequence[Record], count: int) -> Figure:
    """Bytes a held subscription: of the shared memory that is in use, or of the process."""
    for record in records:
        if record.get("test") == "mem" and record.get("subs") == count and record.get("per_sub"):
            if record["failed"]:
                return Figure(trouble=f"{record['failed']} failed")
            each: Mapping[str, float] = record["per_sub"]
            # Kamailio's shared memory is mapped as a whole: what it has allocated of it is its figure.
            kinds = ("hook_real_used",) if "hook_real_used" in each else ("server_pss",)
            return Figure(sum(each[kind] for kind in kinds))
    return Figure(trouble=trouble_of(records, "mem"))


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of a row against one of the two peers."""

    words: str
    met: Callable[[Figure, Figure], bool]
    """Of the peer's figure and ours; both have a value."""


def _rate(times: float, cpu: float) -> Callable[[Figure, Figure], bool]:
    """Met by the rate; where the clock was noisy, by the CPU."""

    def met(peer: Figure, ours: Figure) -> bool:
        assert peer.value and ours.value and peer.cpu and ours.cpu
        by_rate, by_cpu = ours.value >= times * peer.value, ours.cpu <= cpu * peer.cpu
        if times > 1:
            return by_cpu and (by_rate or peer.noisy or ours.noisy)
        return by_cpu if peer.noisy or ours.noisy else by_rate

    return met


def _sooner(times: float) -> Callable[[Figure, Figure], bool]:
    return lambda peer, ours: bool(peer.value and ours.value and ours.value * times <= peer.value)


def _within(seconds: float) -> Callable[[Figure, Figure], bool]:
    return lambda peer, ours: bool(ours.value and ours.value <= seconds)


def _at_most(times: float) -> Callable[[Figure, Figure], bool]:
    return lambda peer, ours: bool(peer.value and ours.value and ours.value <= times * peer.value)


def targets(name: str, scale: Scale) -> tuple[Target | None, Target | None]:
    """Against Kamailio in memory only, and against Kamailio in PostgreSQL; None where there is nothing to compare."""
    if name in OPERATIONS:
        return Target("≥ 1 × the rate", _rate(1, 1)), Target("≥ 5 × the rate, ≤ 1/5 of the CPU", _rate(5, 0.2))
    seconds = scale.fan / 10_000
    within = Target(f"≤ {seconds:g} s", _within(seconds))
    return {
        "fan-many": (Target("≥ 2 × sooner", _sooner(2)), Target("≥ 5 × sooner", _sooner(5))),
        "fan-one": (within, within),
        "restart": (None, Target("≤ 1 ×", _at_most(1))),
        "memory": (Target("≤ 3 ×", _at_most(3)), None),
    }[name]


def shown(name: str, figure: Figure) -> str:
    """A figure in a cell of the table."""
    if figure.value is None:
        return figure.trouble
    if name == "memory":
        text = f"{figure.value:,.0f} B"
    else:
        text = f"{figure.value:,.0f}/s" if name in OPERATIONS else f"{figure.value:.2f} s"
    if figure.cpu is not None:
        text += f", {figure.cpu * 1e6:,.1f} µs CPU" if name in (*OPERATIONS, *FANS) else f", {figure.cpu:.2f} s CPU"
    return text + (" (noisy)" if figure.noisy else "") + (f"; {figure.trouble}" if figure.trouble else "")


def ratio(name: str, peer: Figure, ours: Figure) -> str:
    """How many times better (> 1) we are: faster, sooner, smaller; and by CPU."""
    parts = []
    if peer.value and ours.value:
        better = ours.value / peer.value if name in OPERATIONS else peer.value / ours.value
        parts.append(f"{better:.2f}")
    if peer.cpu and ours.cpu:
        parts.append(f"CPU {peer.cpu / ours.cpu:.2f}")
    return ", ".join(parts) or "–"


def verdict(target: Target, peer: Figure, ours: Figure) -> str:
    """Met, not met, or why that cannot be said."""
    if ours.value is None or ours.trouble:
        return "no"
    if peer.value is None and not target.words.endswith(" s"):
        return "yes" if peer.trouble.endswith("in time") else "?"
    return "yes" if target.met(peer, ours) else "no"
