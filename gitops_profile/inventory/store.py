"""The inventory on disk: SQLite, two tables, written once a second with what changed.

What is lost at a `kill -9` is the last second's observations: a phone that fetched in it is told once more, which is
right, and is seen again at its next contact. A damaged file is said so, and can be moved away: the phones show
themselves again.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

from gitops_profile.sqlite_trouble import TROUBLE, damage, trouble

from .device import Device, Holding

APPLICATION_ID = 0x67507244
"""Marks the file as ours ("gPrD")."""
SCHEMA_VERSION = 1
_SCHEMA = """
    CREATE TABLE device (
        device TEXT PRIMARY KEY NOT NULL,
        address TEXT NOT NULL,
        first_seen REAL NOT NULL,        -- unix seconds, as are all times
        last_seen REAL NOT NULL,
        how TEXT NOT NULL,               -- pnp, subscribe, get, put
        mac TEXT,
        vendor TEXT,
        model TEXT,
        firmware TEXT,
        by_agent INTEGER NOT NULL DEFAULT 0,  -- 0 or 1
        serial TEXT,
        user_agent TEXT,
        key TEXT,
        contact TEXT,
        proven INTEGER NOT NULL          -- 0 or 1
    ) WITHOUT ROWID;
    CREATE TABLE holding (
        device TEXT NOT NULL,
        key TEXT NOT NULL,
        etag TEXT,
        fetched_at REAL,
        told_etag TEXT,
        told_at REAL,
        heard_at REAL,
        heard_status INTEGER,
        returned_at REAL,
        fault TEXT,
        fault_at REAL,
        PRIMARY KEY (device, key)
    ) WITHOUT ROWID;
"""
_BUSY_SECONDS = 2.0
_WITHOUT = "the phones show themselves again"
_DEVICE = tuple(field.name for field in fields(Device) if field.name != "holdings")
_HOLDING = tuple(field.name for field in fields(Holding))


class InventoryUnavailable(OSError):
    """The inventory cannot be read or written; the message names the file and what to do."""


class InventoryStore:
    """The database of one state folder. Every method blocks."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it. Raises InventoryUnavailable."""
        self._path = path
        try:
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise _unavailable(path, error) from error
        try:
            self._prepare()
        except TROUBLE as error:
            self._connection.close()
            raise _unavailable(path, error) from error
        except InventoryUnavailable:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if owner != APPLICATION_ID and (owner or version or tables):
            raise InventoryUnavailable(
                f"{self._path}: this is the database of another program: give the server another state folder"
            )
        if version > SCHEMA_VERSION:
            raise InventoryUnavailable(
                f"{self._path}: written by a newer version (schema {version}, this one knows {SCHEMA_VERSION}): "
                f"run that version, or move the file away: {_WITHOUT}"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise InventoryUnavailable(damage(self._path, " ".join(verdict.split()), _WITHOUT))
        if version < SCHEMA_VERSION:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        columns = {row[1] for row in connection.execute("PRAGMA table_info(device)")}
        if "by_agent" not in columns:
            # Not a new version of the schema: what wrote the file before can go on with it.
            connection.execute("ALTER TABLE device ADD COLUMN by_agent INTEGER NOT NULL DEFAULT 0")

    def load(self) -> list[Device]:
        """All that was written. Raises InventoryUnavailable."""
        try:
            rows = self._connection.execute(f"SELECT {','.join(_DEVICE)} FROM device").fetchall()
            held = self._connection.execute(f"SELECT device,{','.join(_HOLDING)} FROM holding").fetchall()
        except sqlite3.Error as error:
            raise _unavailable(self._path, error) from error
        devices = {row[0]: Device(**_flagged(dict(zip(_DEVICE, row, strict=True)))) for row in rows}
        for device, *row in held:
            if device in devices:
                holding = Holding(*row)
                devices[device].holdings[holding.key] = holding
        return list(devices.values())

    def write(self, devices: Iterable[Device], gone: Sequence[str]) -> None:
        """Put these phones in the place of what was known of them, and forget others: in one transaction.

        Raises InventoryUnavailable; then nothing was written.
        """
        devices = list(devices)
        try:
            with closing(self._connection.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE")
                names = [(name,) for name in (*gone, *(device.device for device in devices))]
                cursor.executemany("DELETE FROM holding WHERE device = ?", names)
                cursor.executemany("DELETE FROM device WHERE device = ?", [(name,) for name in gone])
                cursor.executemany(_insert("device", _DEVICE), [_values(d, _DEVICE) for d in devices])
                cursor.executemany(
                    _insert("holding", ("device", *_HOLDING)),
                    [(d.device, *_values(h, _HOLDING)) for d in devices for h in d.holdings.values()],
                )
                cursor.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise _unavailable(self._path, error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT OR REPLACE INTO {table} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})"


def _values(row: Device | Holding, names: Sequence[str]) -> tuple[Any, ...]:
    """Text that came as bytes which are no UTF-8 is written as far as it is."""
    return tuple(
        value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for value in (getattr(row, name) for name in names)
    )


def _flagged(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"proven": bool(row["proven"]), "by_agent": bool(row["by_agent"])}


def _unavailable(path: Path, error: Exception) -> InventoryUnavailable:
    return InventoryUnavailable(trouble(path, error, _WITHOUT))
