"""How a subscription lies in SQLite: one row, one column per field, readable with the sqlite3 shell.

A change of `StoredSubscription` is a new entry in `MIGRATIONS`, never an edit of an old one.
"""

import json
import operator
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from gitops_profile.sip import StoredDelivery, StoredSubscription

from .by_number import BY_NUMBER
from .deliveries import BOUNDED_SELDOM, DELIVERIES, NO_ENDED_ID

APPLICATION_ID = 0x67507253
"""Marks the file as ours ("gPrS"), so that nobody else's database is ever written to."""

MIGRATIONS = (
    """
    CREATE TABLE subscription (
        id TEXT PRIMARY KEY NOT NULL,
        resource TEXT NOT NULL,
        call_id TEXT NOT NULL,
        local_tag TEXT NOT NULL,
        remote_tag TEXT NOT NULL,
        local_uri TEXT NOT NULL,
        remote_uri TEXT NOT NULL,
        local_cseq INTEGER NOT NULL,
        remote_cseq INTEGER NOT NULL,
        remote_target TEXT NOT NULL,
        route_set TEXT NOT NULL,         -- JSON list
        secure INTEGER NOT NULL,         -- 0 or 1
        event TEXT NOT NULL,
        accept TEXT,
        contact_flow TEXT NOT NULL,
        expires_at REAL NOT NULL,        -- unix seconds
        acknowledged_etag TEXT,
        suppress TEXT,
        delivery TEXT NOT NULL,
        delivered_at REAL,               -- unix seconds
        user_agent TEXT,
        vendor TEXT,
        model TEXT,
        version TEXT,
        identity TEXT
    ) WITHOUT ROWID
    """,
    "ALTER TABLE subscription ADD COLUMN schemes TEXT",
    "ALTER TABLE subscription ADD COLUMN follows INTEGER NOT NULL DEFAULT 0",  # 0 or 1
    # Seconds that the wall clock has been set ahead since the server started: what the times of all rows lack.
    "CREATE TABLE clock (ahead REAL NOT NULL); INSERT INTO clock VALUES (0)",
    DELIVERIES,
    BY_NUMBER,
    NO_ENDED_ID,
    BOUNDED_SELDOM,
)
SCHEMA_VERSION = len(MIGRATIONS)

COLUMNS = StoredSubscription._fields
ROWS_PER_STATEMENT = 512
"""SQLite takes 32 766 parameters a statement; see `save_rows` for why that many."""

_SELECT = f"SELECT number,{','.join(COLUMNS)} FROM subscription"
SELECT, SELECT_ONE = f"{_SELECT} ORDER BY number", f"{_SELECT} WHERE number = ?"
SELECT_HIGHEST = "SELECT ifnull(max(number), 0) FROM subscription"
SELECT_IDS = "SELECT group_concat(id, char(10)), group_concat(number), count(*) FROM subscription"
"""In one row: SQLite lets go of the interpreter at each, and a thread would wait for it 100 000 times."""

_TOLD = ",".join(f"{name} = ?" for name in StoredDelivery._fields[1:])
_SAVE_DELIVERY = f"UPDATE subscription SET {_TOLD} WHERE number = ?"

_ROUTE_SET = COLUMNS.index("route_set")
# The secure one comes right after the routes.
_FLAGS = tuple(COLUMNS.index(name) for name in ("secure", "follows"))

Value = str | int | float | bytes | None
Row = tuple[Value, ...]
"""The values of one row, in the order of `COLUMNS`."""
NumberedRow = tuple[Value, ...]
"""The same behind its number."""


class StoreUnavailable(OSError):
    """The subscriptions cannot be read or written; the message names the file and what to do."""


def row_of(stored: tuple[Any, ...], number: int) -> NumberedRow:
    """What is written of a subscription: of its `StoredSubscription`, or what `as_bytes_where_needed` made of one."""
    routes = stored[_ROUTE_SET]
    if not isinstance(routes, (str, bytes)):
        routes = json.dumps(routes, ensure_ascii=False) if routes else "[]"
    return (number, *stored[:_ROUTE_SET], routes, *stored[_ROUTE_SET + 1 :])


def text_of(value: str | bytes) -> str:
    """A value that was stored as text, or as bytes because those are no UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def subscription_of(row: Row) -> StoredSubscription:
    """The inverse of `row_of`, but for the number; raises ValueError for a row no server has written."""
    if bytes not in map(type, row) and row[_ROUTE_SET] == "[]":  # by far most: 4 µs instead of 10
        secure, follows = (bool(row[flag]) for flag in _FLAGS)
        plain: tuple[Any, ...] = (*row[:_ROUTE_SET], (), secure, *row[_FLAGS[0] + 1 : _FLAGS[1]], follows)
        return StoredSubscription(*plain, *row[_FLAGS[1] + 1 :])
    values: list[object] = [text_of(value) if isinstance(value, bytes) else value for value in row]
    routes = json.loads(str(values[_ROUTE_SET]))
    if not isinstance(routes, list) or not all(isinstance(route, str) for route in routes):
        raise ValueError(f"route_set of {row[0]!r} is no list of strings")
    values[_ROUTE_SET] = tuple(routes)
    for flag in _FLAGS:
        values[flag] = bool(values[flag])
    return StoredSubscription(*values)  # type: ignore[arg-type]  # the columns are the fields, checked by a test


def ids_of(row: tuple[str | None, str | None, int]) -> dict[str, int]:
    """The numbers by their ids, of the one row of `SELECT_IDS`. No id has a line end: neither Call-ID nor tag may."""
    ids, numbers, count = row
    found = dict(zip((ids or "").split("\n"), map(int, (numbers or "0").split(",")), strict=True)) if count else {}
    if len(found) != count:
        raise ValueError("an id is there twice")
    return found


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database at `path` to `SCHEMA_VERSION`, in one transaction.

    Raises StoreUnavailable for a database of another program or of a newer version of this one.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner != APPLICATION_ID and (owner or version or tables):
        raise StoreUnavailable(f"{path}: this is the database of another program: give the server another state folder")
    if version > SCHEMA_VERSION:
        raise StoreUnavailable(
            f"{path}: written by a newer version (schema {version}, this one knows {SCHEMA_VERSION}): "
            "run that version, or move the file away and let the phones subscribe again"
        )
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    for script in MIGRATIONS[version:]:
        for statement in _statements(script):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """One after the other; a trigger has semicolons inside. (`executescript` would commit in the middle.)"""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def spare_adapting() -> None:
    """For the whole process: sqlite3 asks None and bool how they want to be written, and is told by an AttributeError.

    A third of the time of binding a row with its dozen of them.
    """
    no_facts: dict[None, None] = {}
    sqlite3.register_adapter(type(None), no_facts.get)  # None, by the shortest way
    sqlite3.register_adapter(bool, operator.pos)  # 0 or 1


def set_ahead(connection: sqlite3.Connection, seconds: float) -> None:
    """The wall clock is that much ahead of what the running server counts with, and writes."""
    connection.execute("UPDATE clock SET ahead = ?", (seconds,))


def follow_clock(connection: sqlite3.Connection) -> None:
    """Bring all rows to the wall clock of today, in one transaction: a server counts with it from its start on."""
    (ahead,) = connection.execute("SELECT ahead FROM clock").fetchone()
    if not ahead:
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "UPDATE subscription SET expires_at = expires_at + :ahead, delivered_at = delivered_at + :ahead, "
        "told_at = told_at + :ahead, got_at = got_at + :ahead, failed_at = failed_at + :ahead",
        {"ahead": ahead},
    )
    # What is over is left as it is: nobody knows whether it was written before the clock was wrong or after.
    connection.execute("UPDATE rollout SET applied_at = applied_at + ?", (ahead,))
    set_ahead(connection, 0.0)
    connection.execute("COMMIT")


def save_rows(connection: sqlite3.Connection, rows: Sequence[NumberedRow]) -> None:
    """Insert or replace rows, many to a statement: with `executemany` they took a fifth longer."""
    for start, count in _portions(len(rows)):
        values = tuple(chain.from_iterable(rows[start : start + count]))
        connection.execute(_save_statement(count), values)


def save_deliveries(connection: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Write what NOTIFYs changed: the values of a `StoredDelivery` but for its id, and the number."""
    connection.executemany(_SAVE_DELIVERY, rows)


def delete_rows(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Delete rows by number; one without a row is fine."""
    for start, count in _portions(len(numbers)):
        connection.execute(_delete_statement(count), numbers[start : start + count])


def _portions(total: int) -> Iterator[tuple[int, int]]:
    """Where each statement's part starts, and how long it is: a power of two, so that few stay prepared."""
    start = 0
    while start < total:
        count = 1 << (min(total - start, ROWS_PER_STATEMENT).bit_length() - 1)
        yield start, count
        start += count


def as_bytes_where_needed(stored: tuple[Any, ...]) -> tuple[Any, ...]:
    """Text that came as bytes which are no UTF-8 is kept as those bytes: neither msgpack nor SQLite take it as text.

    The routes become what is written of them.
    """
    routes = json.dumps(stored[_ROUTE_SET], ensure_ascii=False)
    return tuple(storable(routes if number == _ROUTE_SET else value) for number, value in enumerate(stored))


def storable(value: Any) -> Any:
    """The same of one value."""
    if not isinstance(value, str):
        return value
    raw = value.encode("utf-8", "surrogateescape")
    return value if raw.decode("utf-8", "replace") == value else raw


@cache
def _save_statement(rows: int) -> str:
    row = f"(?,{','.join('?' * len(COLUMNS))})"
    # No INSERT OR REPLACE: a trigger that had to look the old row up would cost 4 µs more for each.
    updates = ",".join(f"{name}=excluded.{name}" for name in COLUMNS)
    return (
        f"INSERT INTO subscription (number,{','.join(COLUMNS)}) VALUES {','.join([row] * rows)} "
        f"ON CONFLICT (number) DO UPDATE SET {updates}"
    )


@cache
def _delete_statement(rows: int) -> str:
    return f"DELETE FROM subscription WHERE number IN ({','.join('?' * rows)})"
