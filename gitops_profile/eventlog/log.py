"""The contract every engine keeps (tests/eventlog/contract.py), and what can go wrong with it.

It says nothing of files, so that a distributed engine can keep it too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from .record import NewRecord, Record


class VersionConflict(Exception):
    """Somebody else appended first: read the records after `expected`, decide again."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"the log is at position {actual}, not at {expected}")
        self.expected = expected
        self.actual = actual


class LogUnavailable(Exception):
    """The log cannot be used now (disk full, I/O error, closed): nothing was appended; wait and try again.

    `__cause__` is the OSError when there was one.
    """


class LogInUse(LogUnavailable):
    """Another process writes this log. A log has one writer."""


class LogCorrupt(Exception):
    """A record is not what was written. Nobody guesses: an operator must act."""

    def __init__(self, path: Path, line: int | None, reason: str, hint: str) -> None:
        where = f"{path}:{line}" if line else f"{path}"
        super().__init__(f"{where}: {reason} ({hint})")
        self.path = path
        self.line = line
        """Counted from 1 (`sed -n LINEp`); None when it is about the whole file."""
        self.reason = reason
        self.hint = hint
        """What to do about it."""


class EventLog(Protocol):
    """An append-only sequence of records, in batches that are there whole or not at all."""

    @property
    def head(self) -> int:
        """Position of the last durable record; 0 when the log is empty."""

    async def append(self, records: Sequence[NewRecord], *, expected_head: int | None = None) -> int:
        """Append a batch; return the new head once all of it is durable.

        Raises VersionConflict when `expected_head` is given and is not the head, and LogUnavailable when it cannot
        be stored; the log is then as it was, and append may be tried again. A caller that is cancelled while it waits
        does not know whether its batch was stored: the head says.
        """

    def read(self, after: int = 0) -> AsyncIterator[Record]:
        """The records behind position `after`, up to the head as of this call.

        Raises ValueError for a position that the log has not reached, LogCorrupt at a damaged record.
        """

    def follow(self, after: int = 0) -> AsyncIterator[Record]:
        """The same, and then every further record once it is durable, until the log is closed."""

    async def save_snapshot(self, position: int, pieces: Sequence[bytes]) -> None:
        """Keep what a reader made of the records up to `position`, in place of any earlier snapshot.

        It comes in pieces, since one of 100 MB could not be put together without holding up everything else.

        Raises ValueError for a position that the log has not reached, LogUnavailable when it cannot be stored.
        """

    async def load_snapshot(self) -> tuple[int, bytes] | None:
        """Position and data of the snapshot, in one piece; None when there is none or it is damaged: it is a cache."""

    async def close(self) -> None:
        """Store what append was given, end the followers, release the log. Closing twice is fine."""


def check_position(position: int, head: int) -> None:
    """Raise ValueError unless the log has reached the position."""
    if not 0 <= position <= head:
        raise ValueError(f"position {position} is not between 0 and the head of the log, {head}")
