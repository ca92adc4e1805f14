"""The subscriptions on disk: one process writes them, and one transaction takes all that waits (group commit).

Rules: whatever is reported as saved survives `kill -9` and a power cut (WAL with synchronous=FULL); a commit that
fails is reported for each submission in it, and the next one is tried as if nothing had been.
"""

import asyncio
import logging
import socket
import sqlite3
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self, TypeVar

from gitops_profile.processes import module_command, without_settings
from gitops_profile.sip import StoredDelivery, StoredSubscription

from . import database
from .backlog import StoredBacklog
from .deliveries import EndedSubscription, connect_to_read, read_ended
from .frames import Answer, FrameReader, Submission, pack
from .lock import StateLock
from .numbers import Numbers
from .rollouts import StoredRollout, load_rollouts
from .schema import (
    SELECT,
    SELECT_HIGHEST,
    StoreUnavailable,
    as_bytes_where_needed,
    follow_clock,
    storable,
    subscription_of,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
Done = Callable[[Exception | None], None]
MAX_READ = 1 << 16
CLOSE_SECONDS = 30.0
"""For the last commits, at the end; a disk that takes longer is said to have failed."""
LOOK_EVERY = 10.0
"""Seconds between two looks whether the writer goes on."""


class SubscriptionStore:
    """The subscriptions of one server, in one SQLite database.

    `start` and `submit` belong to the event loop's thread; `open`, `load` and `close` block and may be called anywhere.
    """

    def __init__(self, path: Path, lock: StateLock, numbers: Numbers) -> None:
        self._path = path
        self._lock = lock
        self._numbers = numbers
        self._knows_rows = False
        """Whether the numbers of the rows that there are have been learnt, or will be."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = FrameReader()
        self._number = 0
        self._unanswered: deque[tuple[int, Done]] = deque()
        self._unsent = bytearray()
        """What the socket did not take yet."""
        self._ahead = self._ahead_sent = 0.0
        """Seconds that the wall clock was set ahead since the start."""
        self._guard = threading.Lock()
        """Between the loop's thread and whoever closes."""
        self._closing = False
        self._oldest = 0
        """The submission that was waited for at the last look; 0 for none."""
        self._hangs = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Take the state folder `path` lies in, create or migrate the database, and check it for damage.

        Raises StoreUnavailable, whose message says what to do.
        """
        lock = StateLock.acquire(path.parent)
        try:
            with closing(database.connect(path)) as connection:
                try:
                    follow_clock(connection)
                    (highest,) = connection.execute(SELECT_HIGHEST).fetchone()
                except sqlite3.Error as error:
                    raise database.unavailable(path, error) from error
            return cls(path, lock, Numbers(highest))
        except BaseException:
            lock.release()
            raise

    def load(self) -> list[StoredSubscription]:
        """All that has been committed. Raises StoreUnavailable."""
        try:
            with closing(sqlite3.connect(self._path)) as connection:
                found = []
                for number, *row in connection.execute(SELECT):
                    found.append(subscription_of(tuple(row)))
                    self._numbers.learn(found[-1].id, number)
                self._knows_rows = True
                return found
        except sqlite3.Error as error:
            raise database.unavailable(self._path, error) from error
        except ValueError as error:
            raise database.damaged(self._path, error) from error

    def backlog(self) -> StoredBacklog:
        """The same to be read bit by bit; to be closed. Blocks; raises StoreUnavailable."""
        self._knows_rows = True  # whoever has one reads a row before he writes it
        return StoredBacklog(self._path, self._numbers)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to commit; each `done` is called in `loop`. Raises StoreUnavailable."""
        if self._loop is not None:
            raise RuntimeError("the store has been started already")
        self._loop = loop
        self._start_writer()
        loop.call_later(LOOK_EVERY, self._look)

    def submit(
        self,
        saves: Sequence[StoredSubscription],
        deletes: Sequence[str],
        done: Done,
        told: Sequence[StoredDelivery] = (),
    ) -> None:
        """Have `saves` written, then `told` into their rows, and then `deletes` removed, atomically; returns at once.

        `done(None)` is called in the loop when they are durable, `done(error)` when that is not certain: submit them
        again. Submissions take effect in the order they were made. Raises RuntimeError unless the store is
        started and open.
        """
        if not self._knows_rows:
            self.load()
        numbers, submission = self._numbers, Submission(self._number + 1, saves)
        submission.numbers = [numbers.of(row[0]) for row in saves]  # the first field is the id
        if told:
            submission.told = told
            submission.told_numbers = [numbers.of(row[0]) for row in told]
        if not deletes:
            self._submit(submission, done)
            return
        submission.deletes = numbers.leave(deletes, submission.number)

        def deleted(error: Exception | None) -> None:
            if error is None:
                numbers.left(deletes, submission.number)
            done(error)

        self._submit(submission, deleted)

    def submit_rollout(self, rollout: StoredRollout, done: Done) -> None:
        """Have a rollout written, in the place of one of the same revision; as `submit` otherwise."""
        self._submit(Submission(self._number + 1, rollouts=[rollout]), done)

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
        with self._guard:
            if self._closing:
                return
            self._closing = True
            sock, process, loop = self._socket, self._process, self._loop
            if sock is not None and process is not None:
                try:
                    sock.settimeout(CLOSE_SECONDS)
                    sock.sendall(self._unsent)
                    sock.shutdown(socket.SHUT_WR)
                except OSError as error:
                    logger.error("subscriptions: the last ones could not be handed to the writer: %s", error)
        if process is not None and loop is not None:
            _wait(process)
            try:
                loop.call_soon_threadsafe(self._hear_the_rest)
            except RuntimeError:  # the loop is closed: nobody is left who could send a 200, so nobody is told
                self._drop_socket()
        self._lock.release()

    @property
    def writer(self) -> int | None:
        """The process that writes, while there is one."""
        return self._process.pid if self._process is not None and self._socket is not None else None

    # -- the writer ----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Say it, once, when nothing was answered since the last look: a disk that hangs says nothing itself."""
        if self._closing or self._loop is None:
            return
        oldest = self._unanswered[0][0] if self._unanswered else 0
        if oldest == self._oldest != 0 and not self._hangs:
            self._hangs = True
            hint = "does the disk hang?"
            logger.error("subscriptions: nothing was written for %g s, nothing is acknowledged: %s", LOOK_EVERY, hint)
        elif oldest != self._oldest and self._hangs:
            self._hangs = False
            logger.warning("subscriptions: they are written again")
        self._oldest = oldest
        self._loop.call_later(LOOK_EVERY, self._look)

    def _start_writer(self) -> None:
        """Raises StoreUnavailable."""
        assert self._loop is not None
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                descriptor = theirs.fileno()
                command = module_command("gitops_profile.subscriptions.writer", str(self._path), str(descriptor))
                self._process = subprocess.Popen(
                    command, pass_fds=[descriptor], env=without_settings(),
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                )  # fmt: skip
        except OSError as error:
            ours.close()
            raise StoreUnavailable(f"the process that writes subscriptions cannot be started: {error}") from error
        ours.setblocking(False)
        self._socket, self._reader = ours, FrameReader()
        self._loop.add_reader(ours, self._readable)

    def _submit(self, submission: Submission, done: Done) -> None:
        with self._guard:
            if self._loop is None or self._closing:
                raise RuntimeError("the subscription store is not running")
            try:
                self._send(submission, done)
            except Exception as error:  # a value that cannot be written: this submission is refused, and no other
                self._loop.call_soon(_call, done, error)

    def _send(self, submission: Submission, done: Done) -> None:
        assert self._loop is not None
        if self._socket is None:
            self._start_writer()
        assert self._socket is not None
        if self._ahead != self._ahead_sent:
            submission.ahead = self._ahead
        try:
            frame = pack(submission)
        except UnicodeEncodeError:
            submission.saves = [*map(as_bytes_where_needed, submission.saves)]
            submission.told = [tuple(map(storable, row)) for row in submission.told]
            frame = pack(submission)
        self._number = submission.number
        self._unanswered.append((self._number, done))
        if submission.ahead is not None:
            self._ahead_sent = submission.ahead
        sent = 0
        if not self._unsent:
            try:
                sent = self._socket.send(frame)
            except BlockingIOError:
                pass  # it is busy; the rest goes when it has room
            except OSError:
                return  # it has ended, which its other direction will say
        if sent < len(frame):
            if not self._unsent:
                self._loop.add_writer(self._socket, self._writable)
            self._unsent += memoryview(frame)[sent:]

    def _writable(self) -> None:
        with self._guard:
            assert self._loop is not None
            if self._socket is None or self._closing:
                return
            try:
                del self._unsent[: self._socket.send(self._unsent)]
            except BlockingIOError:
                return
            except OSError:
                self._unsent.clear()
            if not self._unsent:
                self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(MAX_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        for answer in self._reader.answers(data):
            self._hear(answer)
        if not data:
            self._writer_ended()

    def _hear(self, answer: Answer) -> None:
        if answer.number < 0:
            logger.error("subscriptions: %s", answer.error)
        error: Exception | None = None
        if answer.error is not None:
            error = ValueError(answer.error) if answer.is_of_value else StoreUnavailable(answer.error)
            self._ahead_sent = float("nan")  # should it have been in there, it goes with the next commit
        self._end(answer.number, error)

    def _end(self, number: int, error: Exception | None) -> None:
        while self._unanswered and self._unanswered[0][0] <= number:
            _call(self._unanswered.popleft()[1], error)

    def _writer_ended(self) -> None:
        """It was killed, or could not open the database: what it had is uncertain, the next submission starts it."""
        self._drop_socket()
        if self._process is not None and not self._closing:
            status = self._process.wait()  # it has closed its end, which it does last of all
            logger.error("the process that writes subscriptions ended with status %d; it is started again", status)
        error = StoreUnavailable(f"{self._path}: the process that writes it ended")
        self._ahead_sent = float("nan")
        self._end(self._number, error)

    def _hear_the_rest(self) -> None:
        while self._socket is not None:
            self._readable()

    def _drop_socket(self) -> None:
        sock, self._socket = self._socket, None
        self._unsent.clear()
        if sock is not None and self._loop is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(sock)
                self._loop.remove_writer(sock)
            sock.close()


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(CLOSE_SECONDS)
    except subprocess.TimeoutExpired:
        logger.error("the process that writes subscriptions did not finish within %g seconds", CLOSE_SECONDS)
        process.kill()
        process.wait()


def _call(done: Done, error: Exception | None) -> None:
    try:
        done(error)
    except Exception:
        logger.exception("a subscription's completion failed")  # its neighbours' must not
