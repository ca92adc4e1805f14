"""What phones have fetched, read from the inventory of a server that runs or does not."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_BUSY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A version that one phone has."""

    device: str
    key: str
    etag: str
    fetched_at: float
    """When it fetched it first, Unix seconds."""


def read_fetched(path: Path, keys: Sequence[str]) -> list[Fetched]:
    """Who has which version of these profiles; nobody when there is no inventory. Raises sqlite3.Error."""
    if not path.exists() or not keys:
        return []
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=_BUSY_SECONDS, uri=True)) as database:
        marks = ",".join("?" * len(keys))
        rows = database.execute(
            f"SELECT device, key, etag, fetched_at FROM holding WHERE key IN ({marks}) AND etag IS NOT NULL "
            "AND fetched_at IS NOT NULL",
            list(keys),
        )
        return [Fetched(*row) for row in rows]
