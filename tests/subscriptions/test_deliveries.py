"""Each phone counts once for each version, whatever is written how often."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_profile.subscriptions import SubscriptionStore, VersionDelivery, deliveries, read_deliveries, schema

from .rows import ALICE, BARE, commit, delete, save

OLD, NEW = "1" * 32, "2" * 32
TOLD = ALICE._replace(told_etag=NEW, told_at=100.0, got_at=None, failed_at=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "subscriptions.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, path)
        yield connection


def facts(path: Path, resource: str = ALICE.resource) -> dict[str, VersionDelivery]:
    return {one.etag: one for one in read_deliveries(path, [resource])}


def counts(path: Path) -> dict[str, tuple[int, int, int]]:
    return {etag: (one.notified, one.acknowledged, one.failed) for etag, one in facts(path).items()}


def test_a_row_that_is_written_again_counts_once(connection: sqlite3.Connection, path: Path) -> None:
    for row in (TOLD, TOLD, TOLD._replace(local_cseq=9), TOLD._replace(got_at=101.0), TOLD._replace(got_at=101.0)):
        save(connection, [row])
    assert counts(path) == {NEW: (1, 1, 0)}


def test_a_phone_that_turns_to_another_version_stays_counted_for_the_old_one(
    connection: sqlite3.Connection, path: Path
) -> None:
    save(connection, [ALICE, ALICE._replace(id="s9", told_at=5.0, got_at=6.0)])
    save(connection, [TOLD])
    save(connection, [TOLD._replace(failed_at=132.0)])
    found = facts(path)
    assert counts(path) == {OLD: (2, 2, 0), NEW: (1, 0, 1)}
    assert (found[OLD].first_notified, found[OLD].last_notified) == (5.0, ALICE.told_at)
    assert (found[OLD].first_acknowledged, found[OLD].last_acknowledged) == (6.0, ALICE.got_at)
    assert (found[NEW].first_failed, found[NEW].last_acknowledged) == (132.0, None)


def test_what_could_not_leave_is_failed_and_not_notified(connection: sqlite3.Connection, path: Path) -> None:
    save(connection, [TOLD._replace(told_at=None, failed_at=7.0)])
    assert counts(path) == {NEW: (0, 0, 1)}


@pytest.mark.parametrize(("got", "expected"), [(101.0, (1, 1, 0)), (None, (1, 0, 1))])
def test_a_subscription_that_is_over_stays_counted(
    connection: sqlite3.Connection, path: Path, got: float | None, expected: tuple[int, int, int]
) -> None:
    save(connection, [TOLD._replace(got_at=got)])
    delete(connection, [TOLD.id])
    delete(connection, [TOLD.id])
    assert counts(path) == {NEW: expected}
    (over,) = deliveries.read_ended(connection, [TOLD.id, "nobody"])
    assert (over.resource, over.contact, over.told_at, over.got_at) == (ALICE.resource, ALICE.remote_target, 100.0, got)
    assert (over.failed_at is None) is (got is not None)


def test_a_phone_that_was_told_nothing_leaves_nothing(connection: sqlite3.Connection, path: Path) -> None:
    save(connection, [BARE])
    delete(connection, [BARE.id])
    assert counts(path) == {}


def test_the_newest_versions_of_a_resource_are_kept(connection: sqlite3.Connection, path: Path) -> None:
    other = TOLD._replace(id="other", resource="user/example.com/other")
    save(connection, [other])
    save(connection, [other._replace(told_etag=OLD)])
    for number in range(deliveries.VERSIONS + 10):
        save(connection, [TOLD._replace(told_etag=f"e{number:03}")])
    kept = sorted(facts(path))
    assert len(kept) == deliveries.VERSIONS + 1, "those that are over, and the one in the phone's own row"
    assert kept[0] == "e009" and kept[-1] == f"e{deliveries.VERSIONS + 9:03}"
    assert set(facts(path, other.resource)) == {OLD, NEW}


def test_the_newest_facts_of_all_are_kept(connection: sqlite3.Connection, path: Path) -> None:
    for etag in ("e1", "e2", "e3"):
        save(connection, [TOLD._replace(told_etag=etag)])
    # Two are over, and as many numbers were given as there may be facts but for one.
    connection.execute("UPDATE delivery SET number = number + ? WHERE etag = 'e2'", (deliveries.ROWS - 3,))
    for etag, kept in (("e4", {"e1", "e2", "e3"}), ("e5", {"e2", "e3", "e4"}), ("e6", {"e2", "e3", "e4", "e5"})):
        save(connection, [TOLD._replace(told_etag=etag)])
        assert set(facts(path)) == kept | {etag}


async def test_facts_are_read_beside_a_running_store_and_after_it(path: Path) -> None:
    assert read_deliveries(path, [ALICE.resource]) == []
    store = SubscriptionStore.open(path)
    store.start(asyncio.get_running_loop())
    await commit(store, [TOLD])
    await commit(store, [TOLD._replace(got_at=101.0)])
    assert counts(path) == {NEW: (1, 1, 0)}
    store.close()
    assert counts(path) == {NEW: (1, 1, 0)}
    again = SubscriptionStore.open(path)
    assert again.load() == [TOLD._replace(got_at=101.0)] and counts(path) == {NEW: (1, 1, 0)}
    again.close()


def test_a_database_from_before_the_facts_keeps_its_subscriptions(path: Path) -> None:
    """As version 4 wrote it: the phone has what it has acknowledged, and counts for it from then on."""
    before = schema.COLUMNS[: schema.COLUMNS.index("told_etag")]
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for script in schema.MIGRATIONS[:4]:
            for statement in script.split(";"):
                old.execute(statement)
        old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        old.execute("PRAGMA user_version = 4")
        for row in (ALICE, BARE):
            values = schema.row_of(row, 1)[1 : len(before) + 1]
            old.execute(f"INSERT INTO subscription ({','.join(before)}) VALUES ({','.join('?' * len(before))})", values)
    store = SubscriptionStore.open(path)
    at = ALICE.delivered_at
    assert store.load() == [ALICE._replace(told_etag=ALICE.acknowledged_etag, told_at=at, got_at=at), BARE]
    assert store.rollouts() == [] and store.ended(["s1"]) == []
    store.close()


def test_a_reader_cannot_write(connection: sqlite3.Connection, path: Path) -> None:
    with (
        closing(deliveries.connect_to_read(path)) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader.execute("DELETE FROM delivery")
