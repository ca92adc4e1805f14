"""What a NOTIFY changes is written into a row that is there, in the order of submission."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_profile.sip import StoredDelivery, StoredSubscription
from gitops_profile.subscriptions import SubscriptionStore

from .rows import ALICE, BARE, commit, many


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SubscriptionStore]:
    store = SubscriptionStore.open(tmp_path / "subscriptions.sqlite")
    store.start(asyncio.get_running_loop())
    yield store
    store.close()


def told(row: StoredSubscription, cseq: int, etag: str | None = "e9") -> StoredDelivery:
    return StoredDelivery(row.id, cseq, etag, None, "acknowledged", 5.5, etag, 5.0, 5.5, None)


def with_it(row: StoredSubscription, cseq: int, etag: str | None = "e9") -> StoredSubscription:
    return row._replace(**told(row, cseq, etag)._asdict())


async def tell(store: SubscriptionStore, rows: list[StoredDelivery]) -> Exception | None:
    answer: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    store.submit([], [], answer.set_result, rows)
    return await answer


async def test_it_changes_its_own_row_only(store: SubscriptionStore) -> None:
    await commit(store, [ALICE, BARE])
    assert await tell(store, [told(ALICE, 41)]) is None
    assert store.load() == [with_it(ALICE, 41), BARE]


async def test_it_may_come_with_the_row(store: SubscriptionStore) -> None:
    answer: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    store.submit([ALICE], [], answer.set_result, [told(ALICE, 41)])
    assert await answer is None and store.load() == [with_it(ALICE, 41)]


async def test_in_one_commit_the_last_word_counts(store: SubscriptionStore) -> None:
    """All of these are waiting when the writer looks: it makes one transaction of them."""
    rows = many(3)
    await commit(store, rows)
    store.submit([], [], lambda error: None, [told(rows[0], 41), told(rows[1], 51)])
    store.submit([rows[0]._replace(local_cseq=42)], [], lambda error: None)
    store.submit([], [rows[2].id], lambda error: None, [told(rows[2], 61)])
    assert await tell(store, [told(rows[1], 52, None)]) is None
    assert store.load() == [rows[0]._replace(local_cseq=42), with_it(rows[1], 52, None)]


async def test_what_is_no_utf8_is_kept_as_bytes(store: SubscriptionStore) -> None:
    await commit(store, [ALICE])
    assert await tell(store, [told(ALICE, 41, "caf\udce9")]) is None
    assert store.load() == [with_it(ALICE, 41, "caf\udce9")]


async def test_turning_to_another_version_is_counted(store: SubscriptionStore, tmp_path: Path) -> None:
    await commit(store, [with_it(ALICE, 1, "e1")])
    await tell(store, [told(ALICE, 2, "e2")])
    with closing(sqlite3.connect(tmp_path / "subscriptions.sqlite")) as connection:
        assert connection.execute("SELECT etag, notified, acknowledged FROM delivery").fetchall() == [("e1", 1, 1)]
