"""The subscriptions of an earlier life, read while the server serves: one after the other, or one that is asked for."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from gitops_profile.sip import StoredSubscription

from . import database
from .deliveries import connect_to_read
from .numbers import Numbers
from .schema import SELECT, SELECT_IDS, SELECT_ONE, NumberedRow, ids_of, subscription_of

T = TypeVar("T")


class StoredBacklog:
    """The rows as they were when it was made (one read transaction); a `gitops_profile.sip.Backlog`.

    It blocks for 5 µs a row, 10 for one that is asked for: `SubscriptionStore.open` has read the whole file a moment
    before. From a thread it would take ten times that, for SQLite lets go of the interpreter at every row.
    """

    def __init__(self, path: Path, numbers: Numbers) -> None:
        """`numbers` learns of each row that is read. Blocks while they are counted (15 ms for 100 000).

        Raises StoreUnavailable, as all of this does.
        """
        self._path = path
        self._numbers = numbers
        self._by_id: dict[str, int] | None = None
        self._connection = self._tried(lambda: sqlite3.connect(path, isolation_level=None, check_same_thread=False))
        self._count, self._rows = self._tried(self._begin)

    def _begin(self) -> tuple[int, sqlite3.Cursor]:
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.execute("BEGIN")
        (count,) = self._connection.execute("SELECT count(*) FROM subscription").fetchone()
        return count, self._connection.execute(SELECT)

    def __len__(self) -> int:
        return self._count

    def take(self, most: int) -> list[StoredSubscription]:
        """The next rows; none when there are no more."""
        return self._tried(lambda: [*map(self._read, self._rows.fetchmany(most))])

    def index(self) -> None:
        """Find out whose rows they are: 0.2 s for 100 000, best of all in a thread. `find` does it when nobody has."""
        if self._by_id is None:
            self._by_id = self._tried(self._ids)

    def _ids(self) -> dict[str, int]:
        with closing(connect_to_read(self._path)) as connection:
            return ids_of(connection.execute(SELECT_IDS).fetchone())

    def find(self, id_: str) -> StoredSubscription | None:
        """The row of a subscription."""
        self.index()
        assert self._by_id is not None
        number = self._by_id.get(id_)
        if number is None:
            return None

        def found() -> StoredSubscription | None:
            row = self._connection.execute(SELECT_ONE, (number,)).fetchone()
            return self._read(row) if row is not None else None

        return self._tried(found)

    def _read(self, row: NumberedRow) -> StoredSubscription:
        stored = subscription_of(row[1:])
        self._numbers.learn(stored.id, row[0])  # type: ignore[arg-type]  # the first column
        return stored

    def close(self) -> None:
        """Let the write-ahead log go that was needed to see the rows as they were."""
        self._connection.close()

    def _tried(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except sqlite3.Error as error:
            raise database.unavailable(self._path, error) from error
        except ValueError as error:
            raise database.damaged(self._path, error) from error
