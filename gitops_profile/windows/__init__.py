"""When a change may go out: allow and deny windows as a schedule over time (pure)."""

from .cron import UnusableCron, check_cron, check_timezone
from .duration import UnusableDuration, duration_text, parse_duration
from .schedule import Closed, Schedule, describe, window_text

__all__ = [
    "Closed",
    "Schedule",
    "UnusableCron",
    "UnusableDuration",
    "check_cron",
    "check_timezone",
    "describe",
    "duration_text",
    "parse_duration",
    "window_text",
]
