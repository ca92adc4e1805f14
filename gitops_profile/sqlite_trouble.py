"""What an operator is told of trouble with one of the databases in the state folder."""

import sqlite3
from pathlib import Path

_HINTS = {
    sqlite3.SQLITE_FULL: "make room on the disk",
    sqlite3.SQLITE_IOERR: "look for a full or failing disk",
    sqlite3.SQLITE_BUSY: "another program holds the database open for writing",
    sqlite3.SQLITE_CANTOPEN: "the state folder must exist and be writable",
    sqlite3.SQLITE_READONLY: "the state folder and the files in it must be writable",
}

TROUBLE = (sqlite3.Error, UnicodeDecodeError)
"""What a database raises; the latter when a name that SQLite says is damaged itself."""


def trouble(path: Path, error: Exception, without: str) -> str:
    """What one of `TROUBLE` says, and what to do.

    `without` says what becomes of the phones when a damaged file is moved away.
    """
    # The extended codes keep the primary one in their low byte; errors of the module itself have none.
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if isinstance(error, UnicodeDecodeError) or primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damage(path, error, without)
    hint = _HINTS.get(primary)
    return f"{path}: {error}" + (f": {hint}" if hint else "")


def damage(path: Path, reason: object, without: str) -> str:
    """For a file that cannot be trusted; see `trouble`."""
    return f"{path}: damaged ({reason}): move it away, with its -wal and -shm files, and start again; {without}"
