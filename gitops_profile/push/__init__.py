"""Telling phones that hold no subscription to fetch again: out-of-dialog NOTIFYs, without I/O (pure)."""

from .client import PushClient
from .credentials import LineCredentials
from .queue import PushQueue, Waits
from .request import Push, PushAnswered, PushSent, Verdict, verdict_of

__all__ = [
    "LineCredentials",
    "Push",
    "PushAnswered",
    "PushClient",
    "PushQueue",
    "PushSent",
    "Verdict",
    "Waits",
    "verdict_of",
]
