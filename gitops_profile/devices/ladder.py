"""How far one document has come at one phone, from what is known of it (pure).

Each rung is worth more than the one before: a phone that answered a check-sync has heard, one that fetched has the
bytes, and one that showed itself again after that is well with them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Rung(StrEnum):
    """Where it stands."""

    DESIRED = "desired"
    """In force, and the phone has another version or none; nothing was sent yet."""
    HELD = "held"
    """The same, and it waits for a maintenance window."""
    NOTIFIED = "notified"
    """Told, and it has not answered, or answered that it does not know how."""
    ACKNOWLEDGED = "acknowledged"
    """It answered. A subscriber has the document with that; any other phone still has to fetch it."""
    FETCHED = "fetched"
    RETURNED = "returned"
    """Seen again after it had fetched."""
    FAULTED = "faulted"
    """Something went wrong, and not right since."""


HEARD_WITHOUT_EFFECT = frozenset({405, 481, 489, 501})
"""Answers of firmware that does not know the event: no fault, and no news either (phones.md 4)."""
_FROM_THE_WORST = (
    Rung.FAULTED, Rung.DESIRED, Rung.HELD, Rung.NOTIFIED, Rung.ACKNOWLEDGED, Rung.FETCHED, Rung.RETURNED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one phone and the version in force; None for what did not happen. Times are Unix seconds."""

    desired_at: float | None = None
    """When the version was made."""
    held_until: float | None = None
    """When it may be told; inf when no time is in sight."""
    held_why: str = ""
    told_at: float | None = None
    heard_at: float | None = None
    heard_status: int | None = None
    fetched_at: float | None = None
    returned_at: float | None = None
    fault: str | None = None
    fault_at: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The rung, and since when."""

    rung: Rung
    at: float | None
    """None when it is not known."""
    reason: str = ""
    """Why it stands there, when that is not plain."""
    until: float | None = None
    """Of a held one: when that ends; inf when no end is in sight."""


def standing(facts: Facts) -> Standing:
    """The highest rung that is reached; a fault counts until something went right after it."""
    if facts.returned_at is not None:
        return Standing(Rung.RETURNED, facts.returned_at)
    if facts.fetched_at is not None:
        return Standing(Rung.FETCHED, facts.fetched_at)
    is_held = facts.held_until is not None
    # What went wrong with the version before is no reason why this one waits.
    is_old = facts.fault_at is not None and facts.desired_at is not None and facts.fault_at < facts.desired_at
    if facts.fault is not None and not (is_held and is_old):
        return Standing(Rung.FAULTED, facts.fault_at, facts.fault)
    status = facts.heard_status or 0
    if facts.heard_at is not None and 200 <= status < 300:
        return Standing(Rung.ACKNOWLEDGED, facts.heard_at)
    if facts.heard_at is not None and status in HEARD_WITHOUT_EFFECT:
        return Standing(Rung.NOTIFIED, facts.heard_at, f"the phone does not know check-sync ({status})")
    if facts.told_at is not None:
        return Standing(Rung.NOTIFIED, facts.told_at)
    if is_held:
        return Standing(Rung.HELD, facts.desired_at, facts.held_why, facts.held_until)
    return Standing(Rung.DESIRED, facts.desired_at)


def worst(standings: Iterable[Standing]) -> Standing | None:
    """Of several documents of one phone, the one that has come least far; None of none."""
    return min(standings, key=lambda one: _FROM_THE_WORST.index(one.rung), default=None)
