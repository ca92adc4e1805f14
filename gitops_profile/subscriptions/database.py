"""The database file: opening it, checking it, noticing that it is gone, and writing it anew."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from gitops_profile.sqlite_trouble import TROUBLE, damage, trouble

from .schema import StoreUnavailable, migrate

BUSY_SECONDS = 2.0
"""How long a commit waits for a person's sqlite3 shell to let go of the database."""

WAL_PAGES = 4000
"""About 16 MB of write-ahead log between checkpoints: each one costs the waiting commit a sync of the whole file."""

_WITHOUT = "each phone then subscribes anew at its next refresh"

Identity = tuple[tuple[int, int] | None, tuple[int, int] | None]
"""Device and inode of the database and of its write-ahead log; None for one that is not there."""


def connect(path: Path, *, checked: bool = True) -> sqlite3.Connection:
    """The database in its current schema, checked for damage unless that was done just now, every commit synced.

    Raises StoreUnavailable, whose message says what to do.
    """
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        if checked:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise damaged(path, " ".join(verdict.split()))
        migrate(connection, path)
    except TROUBLE as error:
        connection.close()
        raise unavailable(path, error) from error
    except StoreUnavailable:
        connection.close()
        raise
    return connection


def identity(path: Path) -> Identity:
    """Which files the names stand for now: SQLite goes on writing to a deleted file without a word."""
    return _inode(path), _inode(path.with_name(path.name + "-wal"))


def write_anew(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Put everything `connection` still reads into a new database at `path` and open that; closes `connection`.

    Raises StoreUnavailable, with `connection` still open, when the copy cannot be written.
    """
    copy = path.with_name(path.name + "-restoring")
    try:
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
        # What is left of the old write-ahead log belongs to no database any more.
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        copy.replace(path)
        _sync_folder(path.parent)
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    fresh = connect(path)
    connection.close()
    return fresh


def unavailable(path: Path, error: Exception) -> StoreUnavailable:
    """What SQLite said, for an operator."""
    return StoreUnavailable(trouble(path, error, _WITHOUT))


def damaged(path: Path, reason: object) -> StoreUnavailable:
    """For a file that cannot be trusted: subscriptions are soft state, so the way on is without it."""
    return StoreUnavailable(damage(path, reason, _WITHOUT))


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
