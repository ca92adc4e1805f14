"""The rows of an earlier life, read while the server serves."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gitops_profile.subscriptions import StoreUnavailable, SubscriptionStore

from .rows import ALICE, BARE, commit


async def test_they_are_read_as_they_were_whatever_is_written_since(tmp_path: Path) -> None:
    store = SubscriptionStore.open(tmp_path / "subscriptions.db")
    store.start(asyncio.get_running_loop())
    await commit(store, [ALICE, BARE])
    backlog = store.backlog()
    await commit(store, [ALICE._replace(local_cseq=99), ALICE._replace(id="s3")], [BARE.id])
    assert len(backlog) == 2
    assert backlog.find("no \udcff UTF-8") is None
    assert backlog.find("s3") is None and backlog.find(BARE.id) in (None, BARE), "gone since"
    assert backlog.take(1) == [ALICE]
    assert backlog.find(ALICE.id) == ALICE, "in the middle of the others"
    assert (backlog.take(10), backlog.take(10)) == ([BARE], [])
    backlog.close()
    assert sorted(row.id for row in store.load()) == ["s1", "s3"]
    store.close()


async def test_a_row_that_no_server_has_written_is_said(tmp_path: Path) -> None:
    path = tmp_path / "subscriptions.db"
    store = SubscriptionStore.open(path)
    store.start(asyncio.get_running_loop())
    await commit(store, [ALICE])
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE subscription SET route_set = '{}'")
    backlog = SubscriptionStore.open(path).backlog()
    for read in (lambda: backlog.take(1), lambda: backlog.find(ALICE.id)):
        with pytest.raises(StoreUnavailable, match="route_set"):
            read()
    backlog.close()
    with pytest.raises(StoreUnavailable, match=r"subscriptions\.db"):
        backlog.take(1)


async def test_what_was_read_is_written_in_its_own_place(tmp_path: Path) -> None:
    """Else each refresh after a restart would add a row."""
    path = tmp_path / "subscriptions.db"
    store = SubscriptionStore.open(path)
    store.start(asyncio.get_running_loop())
    await commit(store, [ALICE, BARE])
    store.close()
    again = SubscriptionStore.open(path)
    again.start(asyncio.get_running_loop())
    backlog = again.backlog()
    assert backlog.take(1) == [ALICE] and backlog.find(BARE.id) == BARE
    await commit(again, [ALICE._replace(local_cseq=99)], [BARE.id])
    assert [(row.id, row.local_cseq) for row in again.load()] == [(ALICE.id, 99)]
    backlog.close()
    again.close()
