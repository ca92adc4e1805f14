"""When the windows of a cron expression begin, in seconds since 1970.

cronsim does what Debian's cron does where clocks change: a time of day that the clock skips comes at the first minute
behind the gap, one that it shows twice comes once, the first time; `*` in the minute or hour goes by elapsed time.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_MARGIN = 3 * 3600
"""Seconds. cronsim goes on from what the clock on the wall shows, so behind a time that it shows twice it may name one
that is over; and it must be asked before a gap for what comes right behind it. No clock is set by more."""
_EXAMPLE = "such as `0 22 * * 1-5`: minute, hour, day of the month, month, day of the week"
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)


class UnusableCron(ValueError):
    """No cron expression, no time zone, or a time that never comes; the message says why."""


def check_cron(expression: str) -> None:
    """Raises UnusableCron."""
    if len(expression.split()) != 5:
        raise UnusableCron(f"{expression!r} has not the five fields of cron, {_EXAMPLE}")
    try:
        first = next(CronSim(expression, _ANY_DAY), None)
    except CronSimError as error:
        raise UnusableCron(f"{expression!r}: {str(error).lower()}; expected five fields, {_EXAMPLE}") from error
    if first is None:
        raise UnusableCron(f"{expression!r} never comes")


def check_timezone(name: str) -> None:
    """Raises UnusableCron."""
    _zone(name)


def usable_zone(expression: str, timezone: str) -> ZoneInfo:
    """The time zone of a cron expression for `starts`; raises UnusableCron when one of the two cannot be used."""
    check_cron(expression)
    return _zone(timezone)


def _zone(name: str) -> ZoneInfo:
    """A time zone by its name; raises UnusableCron."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise UnusableCron(f"{name!r} is no time zone, such as Europe/Berlin or UTC") from error


def starts(expression: str, timezone: ZoneInfo, after: float) -> Iterator[float]:
    """The starts behind `after` (Unix seconds), in order; they end only when there are no more for fifty years."""
    begin = datetime.fromtimestamp(max(after - _MARGIN, 0.0), UTC).astimezone(timezone)
    last = after
    for moment in CronSim(expression, begin):
        at = moment.timestamp()
        if at > last:
            last = at
            yield at
