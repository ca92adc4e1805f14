"""How long a window lasts, as people write it: `90m`, `4h`, `1h30m`, `2d`."""

import re

_DURATION = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?", re.ASCII)
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60
SHORTEST = _MINUTE
LONGEST = 31 * _DAY
"""Seconds. Who wants more than a month of silence suspends the folder."""


class UnusableDuration(ValueError):
    """No duration, or one out of bounds; the message says what is one."""


def parse_duration(text: str) -> int:
    """Seconds, a whole number of minutes; raises UnusableDuration."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise UnusableDuration(f"{text!r} is no duration, such as 90m, 4h or 1h30m")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    seconds = days * _DAY + hours * _HOUR + minutes * _MINUTE
    if not SHORTEST <= seconds <= LONGEST:
        raise UnusableDuration(f"{text!r} is not between 1m and 31d")
    return seconds


def duration_text(seconds: int) -> str:
    """The inverse of `parse_duration`."""
    days, rest = divmod(seconds, _DAY)
    hours, rest = divmod(rest, _HOUR)
    parts = ((days, "d"), (hours, "h"), (rest // _MINUTE, "m"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0m"
