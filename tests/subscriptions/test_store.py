"""What is reported as saved is there after anything; what is not is reported as such."""

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gitops_profile.sip import StoredSubscription
from gitops_profile.subscriptions import StoreUnavailable, SubscriptionStore, schema
from gitops_profile.subscriptions.frames import FrameReader, Submission, pack
from gitops_profile.subscriptions.writer import Writer

from .rows import ALICE, BARE, commit, many, submit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "subscriptions.sqlite"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SubscriptionStore]:
    store = SubscriptionStore.open(path)
    store.start(asyncio.get_running_loop())
    yield store
    store.close()


def reopened(path: Path) -> list[str]:
    """The ids a restarted server finds."""
    store = SubscriptionStore.open(path)
    try:
        return sorted(row.id for row in store.load())
    finally:
        store.close()


def writer_of(store: SubscriptionStore) -> int:
    """The process that writes."""
    assert store.writer is not None
    return store.writer


@contextmanager
def files_no_larger_than(size: int, process: int) -> Iterator[None]:
    """A disk that is full: the kernel refuses to let a file grow past `size` bytes."""
    soft, hard = resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def held_writer(path: Path) -> Iterator[None]:
    """Somebody's sqlite3 shell inside a transaction: the writer thread waits at its next commit."""
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        yield
        shell.execute("ROLLBACK")


async def test_a_new_store_is_empty(store: SubscriptionStore) -> None:
    assert store.load() == []


async def test_what_is_saved_is_loaded(store: SubscriptionStore) -> None:
    assert await commit(store, [ALICE, BARE]) is None
    assert store.load() == [ALICE, BARE]


async def test_a_later_save_replaces_the_row(store: SubscriptionStore) -> None:
    await commit(store, [ALICE])
    later = ALICE._replace(local_cseq=8, delivery="notified")
    await commit(store, [later])
    assert store.load() == [later]


async def test_a_deleted_row_is_gone_and_a_missing_one_is_fine(store: SubscriptionStore) -> None:
    await commit(store, [ALICE, BARE])
    assert await commit(store, deletes=[ALICE.id, "never was"]) is None
    assert store.load() == [BARE]


async def test_an_empty_submission_is_answered(store: SubscriptionStore) -> None:
    assert await commit(store) is None


async def test_it_is_all_there_after_a_restart(store: SubscriptionStore, path: Path) -> None:
    await commit(store, many(1000))
    store.close()
    assert reopened(path) == sorted(row.id for row in many(1000))


async def test_submissions_that_wait_share_one_transaction_and_keep_their_order(
    store: SubscriptionStore, path: Path
) -> None:
    await commit(store, [BARE])
    with held_writer(path):
        answers = [
            submit(store, deletes=[BARE.id]),  # the writer takes this one and waits
            submit(store, [ALICE]),
            submit(store, deletes=[ALICE.id]),
            submit(store, [ALICE._replace(local_cseq=9)]),
        ]
    assert await asyncio.gather(*answers) == [None] * 4
    assert [row.local_cseq for row in store.load()] == [9]


async def test_completions_come_in_the_order_of_the_submissions(store: SubscriptionStore) -> None:
    order: list[int] = []
    for number in range(20):
        store.submit([ALICE], [], lambda error, number=number: order.append(number))  # type: ignore[misc]
    await commit(store, [BARE])
    assert order == list(range(20))


async def test_done_is_called_in_the_loop(store: SubscriptionStore) -> None:
    called: asyncio.Future[threading.Thread] = asyncio.get_running_loop().create_future()
    store.submit([ALICE], [], lambda error: called.set_result(threading.current_thread()))
    assert await called is threading.current_thread()


async def test_one_completion_that_fails_does_not_stop_the_next(
    store: SubscriptionStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(error: Exception | None) -> None:
        raise RuntimeError("a bug of the caller's")

    with held_writer(path):
        store.submit([ALICE], [], fail)
        answer = submit(store, [BARE])
    assert await answer is None
    assert "completion failed" in caplog.text


async def test_close_commits_what_waits(store: SubscriptionStore, path: Path) -> None:
    for row in many(50):
        store.submit([row], [], lambda error: None)
    store.close()
    assert len(reopened(path)) == 50


async def test_a_closed_store_takes_nothing(store: SubscriptionStore) -> None:
    store.close()
    with pytest.raises(RuntimeError, match="not running"):
        store.submit([ALICE], [], lambda error: None)


def test_a_store_that_was_not_started_takes_nothing(path: Path) -> None:
    store = SubscriptionStore.open(path)
    with pytest.raises(RuntimeError, match="not running"):
        store.submit([ALICE], [], lambda error: None)
    store.close()


# Failing commits


async def test_a_full_disk_is_reported_and_the_next_submission_succeeds(store: SubscriptionStore, path: Path) -> None:
    await commit(store, [ALICE])
    with files_no_larger_than(path.with_name(path.name + "-wal").stat().st_size + 5000, writer_of(store)):
        error = await commit(store, many(500))
    assert isinstance(error, StoreUnavailable)
    assert str(path) in str(error)
    assert "disk" in str(error)
    assert store.load() == [ALICE]
    assert await commit(store, [BARE]) is None
    store.close()
    assert reopened(path) == [ALICE.id, BARE.id]


async def test_a_value_that_sqlite_cannot_take_fails_its_commit_only(store: SubscriptionStore) -> None:
    error = await commit(store, [ALICE._replace(local_cseq=2**64)])
    assert isinstance(error, OverflowError)
    assert await commit(store, [ALICE]) is None
    assert store.load() == [ALICE]


@pytest.mark.parametrize("suffixes", [[""], ["", "-wal", "-shm"], ["-wal"]], ids=["database", "all", "wal"])
async def test_a_database_deleted_while_running_is_written_anew(
    store: SubscriptionStore, path: Path, suffixes: list[str]
) -> None:
    await commit(store, many(300))
    for suffix in suffixes:
        path.with_name(path.name + suffix).unlink()
    assert await commit(store, [ALICE]) is None
    store.close()
    assert reopened(path) == sorted([ALICE.id, *(row.id for row in many(300))])


def test_a_database_deleted_in_the_middle_of_a_commit_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save_and_delete(connection: sqlite3.Connection, rows: Sequence[schema.Row]) -> None:
        schema.save_rows(connection, rows)
        path.unlink()

    path.parent.mkdir()
    writer = Writer(path)
    assert writer.commit([Submission(1, [BARE], [1])]) is None
    with monkeypatch.context() as patched:
        patched.setattr("gitops_profile.subscriptions.writer.save_rows", save_and_delete)
        error = writer.commit([Submission(2, [ALICE], [2])])
    assert isinstance(error, StoreUnavailable)
    assert "deleted or replaced" in str(error)
    assert writer.commit([Submission(3, [ALICE], [2])]) is None
    writer.close()
    assert reopened(path) == [ALICE.id, BARE.id]


async def test_a_writer_that_is_killed_is_reported_and_started_again(
    store: SubscriptionStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await commit(store, [BARE])
    first = writer_of(store)
    with held_writer(path):
        answers = [submit(store, [ALICE]), submit(store, many(3))]
        await asyncio.sleep(0)
        os.kill(first, signal.SIGKILL)
        errors = await asyncio.gather(*answers)
    assert all(isinstance(error, StoreUnavailable) for error in errors)
    assert "status -9; it is started again" in caplog.text
    assert await commit(store, [ALICE]) is None
    assert writer_of(store) != first
    store.close()
    assert reopened(path) == [ALICE.id, BARE.id]


async def test_more_than_the_socket_takes_is_written_when_it_has_room(store: SubscriptionStore, path: Path) -> None:
    """While somebody holds the database for a moment, 20 MB come."""
    with held_writer(path):
        answers = [submit(store, many(1000, first=1000 * number)) for number in range(20)]
        await asyncio.sleep(0.1)
        assert not any(answer.done() for answer in answers)
    assert await asyncio.gather(*answers) == [None] * 20
    assert len(store.load()) == 20_000


async def test_closing_hands_over_what_the_socket_did_not_take(store: SubscriptionStore, path: Path) -> None:
    for number in range(20):
        store.submit(many(1000, first=1000 * number), [], lambda error: None)
    store.close()
    assert len(reopened(path)) == 20_000


@pytest.mark.parametrize("cuts", [1, 3, 7, 1000])
def test_frames_come_whole_out_of_any_pieces(cuts: int) -> None:
    sent = [Submission(n, many(n % 3), [n] * (n % 3), deletes=[n], ahead=n or None) for n in range(9)]
    stream = b"".join(map(pack, sent))
    reader = FrameReader()
    found: list[Submission] = []
    for start in range(0, len(stream), cuts):
        found += reader.submissions(stream[start : start + cuts])
    for one in sent:
        one.saves = [(*row[:10], list(row[10]), *row[11:]) for row in one.saves]  # no tuple in msgpack
    assert found == sent


async def test_a_deleted_state_folder_is_reported_until_it_is_back(store: SubscriptionStore, path: Path) -> None:
    await commit(store, [BARE])
    shutil.rmtree(path.parent)
    assert isinstance(await commit(store, [ALICE]), StoreUnavailable)
    assert isinstance(await commit(store, [ALICE]), StoreUnavailable)
    path.parent.mkdir()
    assert await commit(store, [ALICE]) is None
    store.close()
    assert reopened(path) == [ALICE.id, BARE.id]


async def test_a_database_put_in_its_place_is_not_touched(store: SubscriptionStore, path: Path) -> None:
    await commit(store, [BARE])
    other = path.with_name("other")
    other.write_bytes(b"somebody's")
    other.replace(path)
    error = await commit(store, [ALICE])
    assert isinstance(error, StoreUnavailable)
    assert "restart the server" in str(error)
    with path.open("rb") as file:  # a test's
        assert file.read() == b"somebody's"


# Opening


def test_a_damaged_database_is_refused_with_what_to_do(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, however long it may be" * 100)
    with pytest.raises(StoreUnavailable) as caught:
        SubscriptionStore.open(path)
    assert str(path) in str(caught.value)
    assert "move it away" in str(caught.value)


async def test_damage_in_the_middle_is_found_at_open(store: SubscriptionStore, path: Path) -> None:
    await commit(store, many(2000))
    store.close()
    with path.open("r+b") as file:
        for page in range(2, 12):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    with pytest.raises(StoreUnavailable, match="damaged.*move it away") as caught:
        SubscriptionStore.open(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_name_that_sqlite_cannot_say_is_damage(store: SubscriptionStore, path: Path) -> None:
    store.close()
    path.write_bytes(path.read_bytes().replace(b"tabledelivery", b"table\xf2elivery"))
    with pytest.raises(StoreUnavailable, match="damaged.*move it away"):
        SubscriptionStore.open(path)


async def test_a_second_server_is_refused_and_let_in_after_the_first(store: SubscriptionStore, path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"in use by another server \(process \d+\)"):
        SubscriptionStore.open(path)
    store.close()
    assert reopened(path) == []


def test_a_refused_open_lets_go_of_the_folder(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StoreUnavailable):
        SubscriptionStore.open(path)
    path.unlink()
    assert reopened(path) == []


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="the state folder must be writable"):
        SubscriptionStore.open(tmp_path / "file" / "subscriptions.sqlite")


def test_the_state_folder_is_the_owners_alone(path: Path) -> None:
    SubscriptionStore.open(path).close()
    assert path.parent.stat().st_mode & 0o777 == 0o700


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from gitops_profile.subscriptions import SubscriptionStore
from tests.subscriptions.rows import commit, many

async def main() -> None:
    store = SubscriptionStore.open(Path(sys.argv[1]))
    store.start(asyncio.get_running_loop())
    for number in range(10_000):
        assert await commit(store, many(3, first=3 * number)) is None
        print(3 * number + 3, flush=True)

asyncio.run(main())
"""


def test_kill_9_loses_nothing_that_was_reported(path: Path) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(20)]
        process.kill()
        lines += process.stdout.readlines()
    reported = int([line for line in lines if line.endswith(b"\n")][-1])
    survived = reopened(path)
    assert len(survived) >= reported
    assert len(survived) % 3 == 0  # a submission is there whole or not at all
    assert {row.id for row in many(reported)} <= set(survived)


def moved(row: StoredSubscription, seconds: float) -> StoredSubscription:
    """The row with all its times later."""
    times = {name: getattr(row, name) for name in ("expires_at", "delivered_at", "told_at", "got_at", "failed_at")}
    return row._replace(**{name: at + seconds for name, at in times.items() if at is not None})


async def test_rows_are_put_right_once_when_the_wall_clock_was_set(path: Path, store: SubscriptionStore) -> None:
    await commit(store, [ALICE])
    store.clock_jumped(3600.0)
    await commit(store, [BARE])  # written after it, in the time that the server still counts with
    store.clock_jumped(-600.0)
    assert store.load() == [ALICE, BARE]
    store.close()
    for _ in range(2):
        later = SubscriptionStore.open(path)
        assert later.load() == [moved(ALICE, 3000.0), moved(BARE, 3000.0)]
        later.close()
