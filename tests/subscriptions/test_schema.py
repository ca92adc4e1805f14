"""Rows and fields are the same thing twice; these keep them so."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip import StoredSubscription
from gitops_profile.subscriptions import schema
from gitops_profile.subscriptions.schema import StoreUnavailable

from .rows import ALICE, BARE, delete, many, save

PATH = Path("state/subscriptions.sqlite")
"""Only for messages."""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.migrate(connection, PATH)
        yield connection


def stored(connection: sqlite3.Connection) -> list[StoredSubscription]:
    return [schema.subscription_of(row[1:]) for row in connection.execute(schema.SELECT)]


def test_every_field_has_its_column(connection: sqlite3.Connection) -> None:
    columns = [row[1] for row in connection.execute("PRAGMA table_info(subscription)")]
    assert columns == ["number", *StoredSubscription._fields]


def test_a_column_is_nullable_exactly_where_the_field_is(connection: sqlite3.Connection) -> None:
    nullable = {row[1] for row in connection.execute("PRAGMA table_info(subscription)") if not row[3]}
    assert nullable == {name for name, kind in StoredSubscription.__annotations__.items() if "None" in str(kind)}


@pytest.mark.parametrize("subscription", [ALICE, BARE], ids=["full", "bare"])
def test_what_is_saved_is_read(connection: sqlite3.Connection, subscription: StoredSubscription) -> None:
    save(connection, [subscription])
    assert stored(connection) == [subscription]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_any_route_set_survives(routes: list[str]) -> None:
    subscription = ALICE._replace(route_set=tuple(routes))
    assert schema.subscription_of(schema.row_of(subscription, 7)[1:]) == subscription


@pytest.mark.parametrize("count", [1, 2, 3, 511, 512, 513, 1500])
def test_any_number_of_rows_is_saved_and_deleted(connection: sqlite3.Connection, count: int) -> None:
    save(connection, many(count))
    assert sorted(row.id for row in stored(connection)) == sorted(row.id for row in many(count))
    delete(connection, [row.id for row in many(count)])
    assert stored(connection) == []


def test_a_route_set_that_no_server_wrote_is_refused(connection: sqlite3.Connection) -> None:
    save(connection, [ALICE])
    connection.execute("""UPDATE subscription SET route_set = '{"a": 1}'""")
    with pytest.raises(ValueError, match="route_set of 's1'"):
        stored(connection)


def test_migrating_twice_changes_nothing(connection: sqlite3.Connection) -> None:
    save(connection, [ALICE])
    schema.migrate(connection, PATH)
    assert stored(connection) == [ALICE]


def test_a_newer_schema_is_refused(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    with pytest.raises(StoreUnavailable, match="^state/subscriptions.sqlite: written by a newer version"):
        schema.migrate(connection, PATH)


def test_the_database_of_another_program_is_left_alone() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as foreign:
        foreign.execute("CREATE TABLE presentity (id INTEGER)")
        with pytest.raises(StoreUnavailable, match="another program"):
            schema.migrate(foreign, PATH)
        assert foreign.execute("SELECT name FROM sqlite_master").fetchall() == [("presentity",)]


def test_nobody_is_asked_how_none_and_bool_are_written_and_they_are_the_same() -> None:
    statement, values = "SELECT typeof(?), ?, typeof(?), ?, typeof(?), ?", (None, None, True, True, False, False)
    with closing(sqlite3.connect(":memory:")) as connection:
        before = connection.execute(statement, values).fetchone()
        schema.spare_adapting()
        after = connection.execute(statement, values).fetchone()
    assert before == after == ("null", None, "integer", 1, "integer", 0)
