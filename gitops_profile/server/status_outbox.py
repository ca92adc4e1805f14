"""Commit statuses that the forge has yet to hear, and those that it has: a file that outlives the process."""

import asyncio
import json
import logging
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from gitops_profile.forge import CommitStatus, State

from .whole_file import write_whole

logger = logging.getLogger(__name__)

MAX_KEPT = 512
"""Commits; the oldest that were told are forgotten first."""
MAX_FILE = 4 << 20
"""Bytes; a longer file is none of ours."""


@dataclass(slots=True)
class _Entry:
    status: CommitStatus
    told: bool


class StatusOutbox:
    """The newest status of each commit, and whether it has been delivered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._saved = True
        self._broken = False
        self._writing: asyncio.Task[None] | None = None

    def load(self) -> None:
        """Read the file; one that is damaged counts for nothing. Blocks."""
        try:
            with self._path.open("rb") as file:
                rows = json.loads(file.read(MAX_FILE))
            for row in rows[-MAX_KEPT:]:
                status = CommitStatus.of(row["commit"], State(row["state"]), row["description"])
                self._entries[status.commit] = _Entry(status, bool(row["told"]))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            logger.warning("%s cannot be read, some commit statuses may be lost: %s", self._path, error)

    @property
    def waiting(self) -> int:
        """Statuses that are to be delivered."""
        return sum(not entry.told for entry in self._entries.values())

    def state_of(self, commit: str) -> State | None:
        """The newest state of a commit; None when nothing is known of it."""
        entry = self._entries.get(commit)
        return entry.status.state if entry is not None else None

    def put(self, status: CommitStatus) -> None:
        """What is to be told; it takes the place of what was to be told of the same commit."""
        known = self._entries.get(status.commit)
        if known is not None and known.status == status:
            return
        self._entries[status.commit] = _Entry(status, told=False)
        self._entries.move_to_end(status.commit)
        self._saved = False
        while len(self._entries) > MAX_KEPT:
            oldest = next((c for c, entry in self._entries.items() if entry.told), None)
            if oldest is None:
                oldest = next(iter(self._entries))
                logger.warning("commit status given up, too many wait: rev=%s", oldest[:12])
            del self._entries[oldest]

    def next(self) -> CommitStatus | None:
        """What has waited longest."""
        return next((entry.status for entry in self._entries.values() if not entry.told), None)

    def settle(self, status: CommitStatus) -> None:
        """It is delivered, or never will be; a newer status of the same commit still waits."""
        entry = self._entries.get(status.commit)
        if entry is not None and entry.status == status:
            entry.told = True
            self._saved = False

    def defer(self, status: CommitStatus) -> None:
        """Let the others go first the next time."""
        if status.commit in self._entries:
            self._entries.move_to_end(status.commit)

    async def save(self) -> None:
        """Make it durable; without a disk it goes on in memory, and says so once."""
        while self._writing is not None:  # whoever began that may have been cancelled; the thread goes on
            await asyncio.wait([self._writing])
        if self._saved:
            return
        self._saved = True
        rows = [
            {"commit": e.status.commit, "state": e.status.state, "description": e.status.description, "told": e.told}
            for e in self._entries.values()
        ]
        self._writing = asyncio.create_task(self._write(json.dumps(rows, indent=0).encode()))
        await asyncio.shield(self._writing)

    async def _write(self, data: bytes) -> None:
        try:
            await asyncio.to_thread(write_whole, self._path, data)
            self._broken = False
        except OSError as error:
            self._saved = False
            if not self._broken:
                logger.warning("commit statuses are not kept beyond a restart: %s", error)
            self._broken = True
        finally:
            self._writing = None
