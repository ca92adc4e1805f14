"""The subscriptions of an earlier life, read while the server serves: one after the other, or one that is asked for."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gitops_profile.sip import StoredSubscription

from . import database
from .numbers import Numbers
from .schema import SELECT, SELECT_ONE, subscription_of

T = TypeVar("T")


class StoredBacklog:
    """The rows as they were when it was made (one read transaction); a `gitops_profile.sip.Backlog`.

    It blocks for 5 µs a row, 10 for one that is asked for: `SubscriptionStore.open` has read the whole file a moment
    before. From a thread it would take ten times that, for SQLite lets go of the interpreter at every row.
    """

    def __init__(self, path: Path, numbers: Numbers) -> None:
        """`numbers` are those of the rows. Raises StoreUnavailable, as all of this does."""
        self._path = path
        self._numbers = numbers
        self._count = len(numbers)
        self._connection = self._tried(lambda: sqlite3.connect(path, isolation_level=None, check_same_thread=False))
        self._rows = self._tried(self._begin)

    def _begin(self) -> sqlite3.Cursor:
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.execute("BEGIN")
        return self._connection.execute(SELECT)

    def __len__(self) -> int:
        return self._count

    def take(self, most: int) -> list[StoredSubscription]:
        """The next rows; none when there are no more."""
        return self._tried(lambda: [*map(subscription_of, self._rows.fetchmany(most))])

    def find(self, id_: str) -> StoredSubscription | None:
        """The row of a subscription."""
        number = self._numbers.find(id_)
        if number is None:
            return None

        def found() -> StoredSubscription | None:
            row = self._connection.execute(SELECT_ONE, (number,)).fetchone()
            return subscription_of(row) if row is not None else None

        return self._tried(found)

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
