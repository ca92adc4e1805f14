"""Which subscriptions a revision concerned when it came into force: what `wait` counts, also after a restart."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

ROLLOUTS = 50
"""Revisions that are kept, the newest: each names its subscriptions, some 50 bytes each."""


@dataclass(frozen=True, slots=True)
class StoredRollout:
    """One revision and the subscriptions it concerned."""

    revision: str
    """A commit."""
    applied_at: float
    """Unix seconds, as the server counts."""
    planned: tuple[str, ...]
    """The ids of the subscriptions whose document it changed."""


def save_rollouts(connection: sqlite3.Connection, rollouts: Iterable[StoredRollout]) -> None:
    """Write them, each in the place of one of the same revision, and drop those that are too old."""
    for rollout in rollouts:
        connection.execute("DELETE FROM rollout WHERE revision = ?", (rollout.revision,))
        connection.execute(
            "INSERT INTO rollout (revision, applied_at, planned) VALUES (?, ?, ?)",
            (rollout.revision, rollout.applied_at, json.dumps(rollout.planned)),
        )
        connection.execute(
            "DELETE FROM rollout WHERE number NOT IN (SELECT number FROM rollout ORDER BY number DESC LIMIT ?)",
            (ROLLOUTS,),
        )


def load_rollouts(connection: sqlite3.Connection) -> list[StoredRollout]:
    """All that are kept, the oldest first."""
    rows = connection.execute("SELECT revision, applied_at, planned FROM rollout ORDER BY number")
    return [StoredRollout(revision, applied_at, tuple(json.loads(planned))) for revision, applied_at, planned in rows]
