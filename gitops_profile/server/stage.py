"""Where a phone stands with a revision, and how far one is waited for."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where a phone stands with a revision; the least first, as far as they follow one another."""

    UNREACHABLE = "unreachable"
    """Answered with an error, not at all, or there was nowhere to send it; it may still be reached."""
    PENDING = "pending"
    """Nothing has left for it yet."""
    NOTIFIED = "notified"
    """Told, and has not answered yet."""
    HEARD = "heard"
    """Answered a check-sync, and has not fetched yet."""
    ACKNOWLEDGED = "acknowledged"
    """A subscriber that has the version of this revision, or one that came after it."""
    FETCHED = "fetched"
    """The same of a phone that fetches."""
    GONE = "gone"
    """Not there any more before it was its turn."""


class Goal(StrEnum):
    """What is waited for."""

    APPLIED = "applied"
    NOTIFIED = "notified"
    ACKNOWLEDGED = "acknowledged"
    FETCHED = "fetched"
    """By those who fetch; the others have it when they acknowledge."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One of the phones that are listed."""

    key: str
    contact: str
    user_agent: str | None
