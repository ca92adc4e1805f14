"""What a forge's answer to a commit status means: delivered, try again later, or never."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from .commit_status import Provider

LONGEST_WAIT = 3600.0
"""Seconds; nobody can send us away for longer."""
_RESETS = {Provider.GITHUB: "x-ratelimit-reset", Provider.GITLAB: "ratelimit-reset"}


@dataclass(frozen=True, slots=True)
class Delivered:
    """The forge has it."""


@dataclass(frozen=True, slots=True)
class Later:
    """It may succeed another time."""

    reason: str
    seconds: float | None = None
    """How long the forge says to wait; None: it does not say."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """It can never succeed."""

    reason: str


Reply = Delivered | Later | Dropped


def judge(provider: Provider, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Reply:
    """Of an answer whose header names are lower case; `now` in Unix seconds, for times at which a limit ends."""
    wait = _wait(provider, headers, now)
    if status in (200, 201) and _is_object(body):
        return Delivered()
    if status < 300:
        return Later(f"{status} without the status in it: is this the forge's API?", wait)
    if status < 400:
        return Dropped(f"{status}: it redirects, and the token does not follow; correct commit_status.url")
    if provider is Provider.GITLAB and status == 400 and b"Cannot transition status via" in body:
        return Delivered()  # it has that very state already
    limited = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    if status == 429 or (status == 403 and limited):
        return Later(f"{status} too many requests", wait)
    if status in (401, 403):
        return Later(f"{status}: the token is not accepted", wait)  # a new one may be in the file soon
    if status == 404 and not (provider is Provider.GITLAB and b"Commit Not Found" in body):
        # GitHub says this of a private repository that the token may not see: the token's access may be put right.
        return Later("404: no such repository, or the token may not see it", wait)
    if status >= 500 or status in (408, 425):
        return Later(str(status), wait)
    return Dropped(str(status))


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _wait(provider: Provider, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds by Retry-After (RFC 9110 §10.2.3), or by the vendor's own header when no request is left."""
    after = headers.get("retry-after", "").strip()
    seconds = None
    if re.fullmatch("[0-9]{1,9}", after):
        seconds = float(after)
    elif after:
        try:
            seconds = parsedate_to_datetime(after).timestamp() - now
        except (ValueError, OverflowError):
            seconds = None
    elif "0" in (headers.get("x-ratelimit-remaining"), headers.get("ratelimit-remaining")):
        reset = headers.get(_RESETS.get(provider, ""), "")
        seconds = float(reset) - now if re.fullmatch("[0-9]{1,12}", reset) else None
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)
