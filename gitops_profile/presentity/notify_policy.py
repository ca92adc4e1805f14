"""How a phone may be told of a change: what its author allows, beside what is said to the phone."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Window:
    """A time, again and again, in which changes may, or may not, go out."""

    allows: bool
    cron: str
    """When it begins: five fields."""
    seconds: int
    """How long it lasts."""
    timezone: str
    """Of the cron fields, such as Europe/Berlin."""


@dataclass(frozen=True, slots=True)
class NotifyPolicy:
    """What `notify:` says. It is no part of what a phone gets: a change of it alone is told to nobody."""

    may_reboot: bool = False
    """Whether a phone may be rebooted to make it fetch (a reboot ends calls)."""
    aor: str | None = None
    """The SIP URI under which the phone of a device profile is registered."""
    windows: tuple[Window, ...] = ()

    def as_row(self) -> tuple[Any, ...]:
        """Its fields as plain data."""
        return self.may_reboot, self.aor, [(w.allows, w.cron, w.seconds, w.timezone) for w in self.windows]

    @classmethod
    def from_row(cls, row: Any) -> "NotifyPolicy":
        """The inverse of `as_row`; one object for all that say nothing."""
        may_reboot, aor, windows = row
        if not may_reboot and aor is None and not windows:
            return NO_POLICY
        return cls(may_reboot, aor, _shared(tuple(map(tuple, windows))))


@lru_cache(maxsize=1024)
def _shared(rows: tuple[tuple[Any, ...], ...]) -> tuple[Window, ...]:
    """Windows are those of a folder: its documents have one object."""
    return tuple(Window(*row) for row in rows)


NO_POLICY = NotifyPolicy()
