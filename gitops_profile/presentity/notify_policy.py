"""How a phone may be told of a change: what its author allows, beside what is said to the phone."""

from functools import lru_cache

import msgspec


class Window(msgspec.Struct, frozen=True, gc=False):
    """A time, again and again, in which changes may, or may not, go out."""

    allows: bool
    cron: str
    """When it begins: five fields."""
    seconds: int
    """How long it lasts."""
    timezone: str
    """Of the cron fields, such as Europe/Berlin."""


class NotifyPolicy(msgspec.Struct, frozen=True, gc=False):
    """What `notify:` says. It is no part of what a phone gets: a change of it alone is told to nobody."""

    may_reboot: bool = False
    """Whether a phone may be rebooted to make it fetch (a reboot ends calls)."""
    aor: str | None = None
    """The SIP URI under which the phone of a device profile is registered."""
    windows: tuple[Window, ...] = ()


NO_POLICY = NotifyPolicy()


@lru_cache(maxsize=1024)
def shared_policy(policy: NotifyPolicy) -> NotifyPolicy:
    """The same, as one object for all that say the same, and with one object for the windows of a whole folder."""
    if policy == NO_POLICY:
        return NO_POLICY
    windows = _shared(policy.windows)
    return policy if windows is policy.windows else NotifyPolicy(policy.may_reboot, policy.aor, windows)


@lru_cache(maxsize=1024)
def _shared(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    return windows
