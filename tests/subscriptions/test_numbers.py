"""Which row is whose, while submissions are on their way."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gitops_profile.subscriptions import SubscriptionStore, schema
from gitops_profile.subscriptions.numbers import Numbers

from .rows import ALICE, BARE, commit, many


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "subscriptions.sqlite"


def test_a_number_is_given_once_and_they_grow() -> None:
    numbers = Numbers(7)
    numbers.learn("old", 7)
    assert [numbers.of(id_) for id_ in ("a", "old", "b", "a")] == [8, 7, 9, 8]


def test_a_number_is_kept_until_its_row_is_certainly_gone() -> None:
    numbers = Numbers()
    first = numbers.of("a")
    assert numbers.leave(["a", "never written"], 1) == [first]
    assert numbers.leave(["a"], 2) == [first]  # the first one failed, and it is tried again
    numbers.left(["a"], 1)  # that it went is not known yet
    assert numbers.leave(["a"], 2) == [first]
    numbers.left(["a"], 2)
    assert numbers.leave(["a"], 3) == [] and numbers.of("a") == first + 1


def test_what_is_written_again_stays() -> None:
    numbers = Numbers()
    first = numbers.of("a")
    numbers.leave(["a"], 1)
    assert numbers.of("a") == first  # submitted behind the deletion
    numbers.left(["a"], 1)
    assert numbers.of("a") == first


async def test_rows_lie_in_the_order_of_their_making_over_a_restart(path: Path) -> None:
    ids = [f"{number * 7919 % 100:02}" for number in range(100)]
    for some in (ids[:50], ids[50:]):
        store = SubscriptionStore.open(path)
        store.start(asyncio.get_running_loop())
        assert await commit(store, [ALICE._replace(id=id_) for id_ in some]) is None
        assert await commit(store, [ALICE._replace(id=id_, local_cseq=9) for id_ in ids[:50]]) is None
        store.close()
    again = SubscriptionStore.open(path)
    assert [row.id for row in again.load()] == ids
    assert [row.local_cseq for row in again.load()] == [9] * 50 + [ALICE.local_cseq] * 50
    again.close()


async def test_a_row_is_written_deleted_and_written_again(path: Path) -> None:
    store = SubscriptionStore.open(path)
    store.start(asyncio.get_running_loop())
    assert await commit(store, [ALICE, BARE]) is None
    store.submit([], [ALICE.id], lambda error: None)
    assert await commit(store, [ALICE._replace(local_cseq=77)]) is None
    assert {row.id: row.local_cseq for row in store.load()} == {ALICE.id: 77, BARE.id: BARE.local_cseq}
    assert await commit(store, [], [ALICE.id, "nobody's"]) is None
    assert await commit(store, [], [ALICE.id]) is None
    assert [row.id for row in store.load()] == [BARE.id]
    store.close()


def test_a_database_in_the_order_of_ids_keeps_its_rows(path: Path) -> None:
    """As version 5 wrote it: triggers and facts are there afterwards as before."""
    columns = ",".join(schema.COLUMNS)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for script in schema.MIGRATIONS[:5]:
            for statement in schema._statements(script):
                old.execute(statement)
        old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        old.execute("PRAGMA user_version = 5")
        for row in many(20):
            old.execute(
                f"INSERT INTO subscription ({columns}) VALUES ({','.join('?' * len(schema.COLUMNS))})",
                schema.row_of(row._replace(told_etag="e1", told_at=1.0), 0)[1:],
            )
    store = SubscriptionStore.open(path)
    assert sorted(store.load()) == sorted(row._replace(told_etag="e1", told_at=1.0) for row in many(20))
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        made = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        assert {"subscription_turned", "subscription_ended"} <= made
        connection.execute("DELETE FROM subscription WHERE number = 1")
        assert connection.execute("SELECT count(*) FROM ended").fetchone() == (1,)
