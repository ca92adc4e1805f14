"""Dates as git understands them: `2026-11-01`, `2026-11-01T10:00`, `yesterday`, `3 days ago`."""

import os
import re
from datetime import UTC, datetime, time

import git

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.]+(Z| ?[+-]\d\d:?\d\d)?)?|@\d{9,}|[A-Za-z0-9 .:,]+", re.ASCII)
# git finds a date in almost any text that has a digit in it, so that a mistyped revision would be one.
_SAYS_DATE = re.compile(
    r"\d{4}-\d\d-\d\d|@\d|\b(ago|yesterday|today|now|noon|midnight|tea|last|(mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d)",
    re.IGNORECASE,
)


def parse_date(text: str) -> datetime | None:
    """The moment that `text` means, None when it is no date. A day without a time means the end of that day.

    Where no zone is given it is the local one (TZ), as in git.
    """
    if not _DATE.fullmatch(text) or not _SAYS_DATE.search(text):
        return None
    try:
        if _DAY.fullmatch(text):
            # git would take the time of day that it is now.
            day = datetime.fromisoformat(text)
            return datetime.combine(day, time.max.replace(microsecond=0)).astimezone(UTC)
        if text in ("now", "today"):  # of these git makes "expires at once", the end of all time
            return datetime.now(UTC)
        if text.startswith("@"):
            return datetime.fromtimestamp(int(text[1:]), UTC)
        found = git.Git().config("--file", os.devnull, "--type=expiry-date", "--default", text, "--get", "date.at")
        return datetime.fromtimestamp(int(found), UTC)
    except (git.GitCommandError, ValueError, OverflowError, OSError):
        return None
