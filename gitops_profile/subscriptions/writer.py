"""The process that writes the subscriptions: reads submissions, commits all that have come, says how it went.

A process of its own, because SQLite's module gives up the interpreter lock ten times in a commit, and behind a busy
event loop gets it back only after milliseconds: as a thread of the server it cost both of them 80 µs for each
subscription, as a process 20 (`tests/bench/bench_subscribe.py`).
"""

import logging
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from gitops_profile.processes import end_with_the_server

from . import database
from .frames import Answer, FrameReader, Submission, pack
from .rollouts import save_rollouts
from .schema import (
    NumberedRow,
    StoreUnavailable,
    delete_rows,
    row_of,
    save_deliveries,
    save_rows,
    set_ahead,
    spare_adapting,
)

logger = logging.getLogger(__name__)

APART = 0.0005
"""Seconds from one commit to the next, at least, while there is much to write: what comes meanwhile shares it. Alone,
a commit is at once."""
MAX_READ = 1 << 20


class Writer:
    """The open database, for one writer."""

    def __init__(self, path: Path) -> None:
        """Raises StoreUnavailable."""
        self._path = path
        self._connection = database.connect(path, checked=False)
        self._identity = database.identity(path)

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def commit(self, batch: Sequence[Submission]) -> Exception | None:
        """Commit submissions, in their order, in one transaction; what went wrong, and then nothing of it counts."""
        final: dict[int, NumberedRow | None] = {}
        told: dict[int, tuple[Any, ...]] = {}
        for submission in batch:
            for number, stored in zip(submission.numbers, submission.saves, strict=True):
                final[number] = row_of(stored, number)
                if told:
                    told.pop(number, None)  # older than the row
            for number, values in zip(submission.told_numbers, submission.told, strict=True):
                told[number] = (*values[1:], number)
            final.update(dict.fromkeys(submission.deletes))
        try:
            self._restore_if_lost()
            self._write(final, told, batch)
            self._raise_if_lost()
        except sqlite3.Error as error:
            self._rollback()
            return database.unavailable(self._path, error)
        except OSError as error:
            return error
        except Exception as error:  # a value SQLite cannot take: the batch is refused, the writer must live on
            self._rollback()
            logger.exception("subscriptions could not be written")
            return error
        return None

    def _write(
        self, final: dict[int, NumberedRow | None], told: dict[int, tuple[Any, ...]], batch: Sequence[Submission]
    ) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        save_rows(self._connection, [row for row in final.values() if row is not None])
        save_deliveries(self._connection, told.values())
        delete_rows(self._connection, [number for number, row in final.items() if row is None])
        save_rollouts(self._connection, [rollout for submission in batch for rollout in submission.rollouts])
        for submission in batch:
            if submission.ahead is not None:
                set_ahead(self._connection, submission.ahead)
        self._connection.execute("COMMIT")

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


def serve(writer: Writer, sock: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
    """Commit what comes on `sock`, and answer, until its other end is shut."""
    reader = FrameReader()
    batch: list[Submission] = []
    earliest = 0.0
    is_open = True
    while is_open:
        is_open = _read(sock, reader, batch, wait=None)
        while is_open and (left := earliest - clock()) > 0:
            is_open = _read(sock, reader, batch, wait=left)
        if batch:
            begun = clock()
            error = writer.commit(batch)
            sock.sendall(pack(_answer(batch[-1].number, error)))
            batch.clear()
            earliest = begun + APART


def _read(sock: socket.socket, reader: FrameReader, batch: list[Submission], wait: float | None) -> bool:
    """Add what comes, or has come within `wait` seconds; whether more may come."""
    sock.settimeout(wait)
    try:
        data = sock.recv(MAX_READ)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(None)
    batch += reader.submissions(data)
    return bool(data)


def _answer(number: int, error: Exception | None) -> Answer:
    if error is None:
        return Answer(number)
    return Answer(number, str(error), is_of_value=not isinstance(error, OSError))


def main() -> NoReturn:
    """`python -m gitops_profile.subscriptions.writer DATABASE DESCRIPTOR`: whoever starts it holds the state folder."""
    end_with_the_server()  # nothing is written that no server reports
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    spare_adapting()
    with socket.socket(fileno=int(sys.argv[2])) as sock:
        try:
            writer = Writer(Path(sys.argv[1]))
        except StoreUnavailable as error:
            sock.sendall(pack(Answer(-1, str(error))))
            sys.exit(1)
        try:
            serve(writer, sock)
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)  # the server is gone
        writer.close()
    sys.exit(0)


if __name__ == "__main__":
    main()
