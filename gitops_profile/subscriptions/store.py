"""The subscriptions on disk: one writer thread, and one transaction for all that waits (group commit).

Rules: whatever is reported as saved survives `kill -9` and a power cut (WAL with synchronous=FULL); a commit that
fails is reported for each submission in it, and the next one is tried as if nothing had been.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from gitops_profile.sip import StoredSubscription

from . import database
from .deliveries import EndedSubscription, connect_to_read, read_ended
from .lock import StateLock
from .rollouts import StoredRollout, load_rollouts, save_rollouts
from .schema import (
    SELECT,
    Row,
    StoreUnavailable,
    delete_rows,
    follow_clock,
    row_of,
    save_rows,
    set_ahead,
    subscription_of,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
Done = Callable[[Exception | None], None]


@dataclass(frozen=True, slots=True)
class _Submission:
    saves: Sequence[tuple[str, Row]]
    deletes: tuple[str, ...]
    done: Done
    rollouts: tuple[StoredRollout, ...] = ()


class SubscriptionStore:
    """The subscriptions of one server, in one SQLite database.

    `submit` and `start` belong to the event loop's thread; `open`, `load` and `close` block and may be called anywhere.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: StateLock) -> None:
        self._path = path
        self._connection = connection
        self._lock = lock
        self._identity = database.identity(path)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._waiting: list[_Submission] = []
        self._ahead = self._ahead_stored = 0.0
        """Seconds that the wall clock was set ahead since the start."""
        self._wake = threading.Condition()
        self._closing = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Take the state folder `path` lies in, create or migrate the database, and check it for damage.

        Raises StoreUnavailable, whose message says what to do.
        """
        lock = StateLock.acquire(path.parent)
        try:
            connection = database.connect(path)
            try:
                follow_clock(connection)
            except sqlite3.Error as error:
                connection.close()
                raise database.unavailable(path, error) from error
            return cls(path, connection, lock)
        except BaseException:
            lock.release()
            raise

    def load(self) -> list[StoredSubscription]:
        """All that has been committed. Raises StoreUnavailable."""
        try:
            with closing(sqlite3.connect(self._path)) as connection:
                return [subscription_of(row) for row in connection.execute(SELECT)]
        except sqlite3.Error as error:
            raise database.unavailable(self._path, error) from error
        except ValueError as error:
            raise database.damaged(self._path, error) from error

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to commit; each `done` is called in `loop`."""
        if self._thread is not None:
            raise RuntimeError("the store has been started already")
        self._loop = loop
        self._thread = threading.Thread(target=self._write, name="subscriptions", daemon=True)
        self._thread.start()

    def submit(self, saves: Sequence[StoredSubscription], deletes: Sequence[str], done: Done) -> None:
        """Have `saves` written and then `deletes` removed, atomically; returns at once.

        `done(None)` is called in the loop when they are durable, `done(error)` when that is not certain: submit them
        again. Submissions take effect in the order they were made. Raises RuntimeError unless the store is
        started and open.
        """
        with self._wake:
            if self._thread is None or self._closing:
                raise RuntimeError("the subscription store is not running")
            # Made into rows here: with the writer, this thread would have to take turns at the interpreter.
            self._waiting.append(_Submission([(row.id, row_of(row)) for row in saves], tuple(deletes), done))
            self._wake.notify()

    def submit_rollout(self, rollout: StoredRollout, done: Done) -> None:
        """Have a rollout written, in the place of one of the same revision; as `submit` otherwise."""
        with self._wake:
            if self._thread is None or self._closing:
                raise RuntimeError("the subscription store is not running")
            self._waiting.append(_Submission((), (), done, (rollout,)))
            self._wake.notify()

    def rollouts(self) -> list[StoredRollout]:
        """Those that are kept, the oldest first. Blocks; raises StoreUnavailable."""
        return self._read(load_rollouts)

    def ended(self, ids: Sequence[str]) -> list[EndedSubscription]:
        """Subscriptions that are over, as far as they are still known. Blocks; raises StoreUnavailable."""
        return self._read(lambda connection: read_ended(connection, ids))

    def _read(self, query: Callable[[sqlite3.Connection], list[T]]) -> list[T]:
        try:
            with closing(connect_to_read(self._path)) as connection:
                return query(connection)
        except sqlite3.Error as error:
            raise database.unavailable(self._path, error) from error

    def clock_jumped(self, seconds: float) -> None:
        """The wall clock was set ahead (or, negative, back), and whoever submits goes on as before.

        The times of all rows are then wrong by as much for the next start, which puts them right: one value is
        written now, instead of every row.
        """
        self._ahead += seconds
        self.submit((), (), lambda error: None)  # should it fail, it goes with the next commit

    def close(self) -> None:
        """Commit what waits and let go of the state folder. Blocks; does nothing the second time."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        self._connection.close()
        self._lock.release()

    def _write(self) -> None:
        """The writer thread."""
        while batch := self._next_batch():
            error = self._try_commit(batch)
            self._report(batch, error)

    def _next_batch(self) -> list[_Submission]:
        """All that waits, once something does; nothing when the store closes."""
        with self._wake:
            while not self._waiting and not self._closing:
                self._wake.wait()
            batch, self._waiting = self._waiting, []
            return batch

    def _report(self, batch: list[_Submission], error: Exception | None) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(_call_all, batch, error)
        except RuntimeError:
            # The loop is closed: nobody is left who could send a 200, so nobody is told.
            logger.debug("subscriptions committed after the loop was closed: %d", len(batch))

    def _try_commit(self, batch: list[_Submission]) -> Exception | None:
        final: dict[str, Row | None] = {}
        for submission in batch:
            final.update(submission.saves)
            final.update(dict.fromkeys(submission.deletes))
        try:
            self._restore_if_lost()
            self._commit(final, [rollout for submission in batch for rollout in submission.rollouts])
            self._raise_if_lost()
        except sqlite3.Error as error:
            self._rollback()
            return database.unavailable(self._path, error)
        except OSError as error:
            return error
        except Exception as error:  # a value SQLite cannot take: the batch is refused, the thread must live on
            self._rollback()
            logger.exception("subscriptions could not be written")
            return error
        return None

    def _commit(self, final: dict[str, Row | None], rollouts: Sequence[StoredRollout]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        save_rows(self._connection, [row for row in final.values() if row is not None])
        delete_rows(self._connection, [key for key, row in final.items() if row is None])
        save_rollouts(self._connection, rollouts)
        ahead = self._ahead
        if ahead != self._ahead_stored:
            set_ahead(self._connection, ahead)
        self._connection.execute("COMMIT")
        self._ahead_stored = ahead

    def _rollback(self) -> None:
        try:
            self._connection.rollback()
        except sqlite3.Error as error:
            logger.warning("subscriptions: rolling back failed: %s", error)

    def _raise_if_lost(self) -> None:
        """A commit counts only if the files it went to still have their names (SQLite would not notice)."""
        if database.identity(self._path) != self._identity:
            raise StoreUnavailable(f"{self._path}: deleted or replaced while the server was running")

    def _restore_if_lost(self) -> None:
        """Write the database anew after it was deleted: the open one still holds every row.

        Raises StoreUnavailable when another database lies in its place, which is somebody's decision to make.
        """
        if database.identity(self._path) == self._identity:
            return
        if self._path.exists() and database.identity(self._path)[:1] != self._identity[:1]:
            raise StoreUnavailable(f"{self._path}: replaced while the server was running: restart the server to use it")
        self._connection = database.write_anew(self._connection, self._path)
        self._identity = database.identity(self._path)
        logger.warning("subscriptions restored after the database was deleted file=%s", self._path)


def _call_all(batch: list[_Submission], error: Exception | None) -> None:
    for submission in batch:
        try:
            submission.done(error)
        except Exception:
            logger.exception("a subscription's completion failed")  # its neighbours' must not
