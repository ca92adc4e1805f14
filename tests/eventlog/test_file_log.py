import asyncio
import errno
import json
import logging
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_profile.eventlog import EventLog, FileEventLog, LogCorrupt, LogInUse, LogUnavailable, NewRecord, file_log
from tests.eventlog.contract import EventLogContract, everything, new, new_batch, numbers, take


class TestFileEventLog(EventLogContract):
    @pytest.fixture
    async def log(self, tmp_path: Path) -> AsyncIterator[EventLog]:
        log = await FileEventLog.open(tmp_path / "new" / "log")
        yield log
        await log.close()


class TestFileEventLogOfTinySegments(EventLogContract):
    @pytest.fixture
    async def log(self, tmp_path: Path) -> AsyncIterator[EventLog]:
        log = await FileEventLog.open(tmp_path, segment_bytes=1)
        yield log
        await log.close()


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[FileEventLog]:
    log = await FileEventLog.open(tmp_path, segment_bytes=1000)
    yield log
    await log.close()


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


class Syncs:
    """Counts the fdatasync calls, and fails as many of the next ones as `failing` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.failing = 0
        self._fdatasync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, handle: int) -> None:
        self.count += 1
        if self.failing:
            self.failing -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._fdatasync(handle)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    return Syncs(monkeypatch)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file grows past `size`: the kernel then writes a part, and refuses the rest, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_what_was_appended_is_there_after_reopening(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path)
    await log.append(new_batch(3))
    before = await everything(log)
    await log.close()
    log = await FileEventLog.open(tmp_path)
    assert log.head == 3
    assert await everything(log) == before
    assert await log.append([new(4)], expected_head=3) == 4
    await log.close()


async def test_a_segment_is_json_lines_named_by_its_first_position(log: FileEventLog, tmp_path: Path) -> None:
    for first in range(1, 41, 4):
        await log.append(new_batch(4, first))
    assert len(segments(tmp_path)) > 2
    positions = []
    for segment in segments(tmp_path):
        lines = [json.loads(line) for line in segment.read_text().splitlines()]
        assert segment.name == f"{lines[0]['position']:020}.jsonl"
        assert lines[-1]["left"] == 0, "a batch went across segments"
        positions += [line["position"] for line in lines]
    assert positions == list(range(1, 41))


async def test_a_batch_bigger_than_a_segment_stays_in_one(log: FileEventLog, tmp_path: Path) -> None:
    await log.append(new_batch(500))
    await log.append([new(501)])
    assert [path.name[-9:] for path in segments(tmp_path)] == ["001.jsonl", "501.jsonl"]


async def test_reading_begins_in_the_right_place_of_the_right_segment(log: FileEventLog) -> None:
    for first in range(1, 101, 3):
        await log.append(new_batch(3, first))
    for after in range(103):
        assert numbers(await everything(log, after)) == list(range(after + 1, 103))


async def test_records_longer_than_a_block_are_read(log: FileEventLog) -> None:
    long = NewRecord("s", "T", 1, json.dumps({"body": "é" * 700_000}).encode())
    await log.append([long, new(2), long, long])
    assert [record.data for record in await everything(log)] == [long.data, new(2).data, long.data, long.data]


async def test_the_clock_is_the_one_given(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path, clock=lambda: datetime(2025, 1, 31, 12, tzinfo=UTC))
    await log.append([new(1)])
    assert [record.time for record in await everything(log)] == ["2025-01-31T12:00:00.000Z"]
    await log.close()


async def test_concurrent_appends_share_a_sync(log: FileEventLog, syncs: Syncs) -> None:
    heads = await asyncio.gather(*(log.append([new(number)]) for number in range(1, 201)))
    assert sorted(heads) == list(range(1, 201))
    assert syncs.count <= 2


async def test_nothing_is_acknowledged_or_shown_before_it_is_synced(
    log: FileEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_at_sync = []
    fdatasync = os.fdatasync

    def sync(handle: int) -> None:
        seen_at_sync.append(log.head)
        fdatasync(handle)

    monkeypatch.setattr(os, "fdatasync", sync)
    await log.append(new_batch(2))
    await log.append([new(3)])
    assert seen_at_sync == [0, 2]


async def test_what_a_killed_process_wrote_is_synced_before_it_is_shown(tmp_path: Path, syncs: Syncs) -> None:
    log = await FileEventLog.open(tmp_path)
    await log.append([new(1)])
    await log.close()
    syncs.count = 0
    log = await FileEventLog.open(tmp_path)
    assert syncs.count == 1
    await log.close()


async def test_a_failed_sync_appends_nothing_and_the_next_append_works(log: FileEventLog, syncs: Syncs) -> None:
    await log.append([new(1)])
    following = log.follow(1)
    syncs.failing = 1
    outcomes = await asyncio.gather(log.append(new_batch(3, 2)), log.append([new(9)]), return_exceptions=True)
    for outcome in outcomes:
        assert isinstance(outcome, LogUnavailable)
        assert isinstance(outcome.__cause__, OSError) and outcome.__cause__.errno == errno.EIO
        assert "nothing was appended" in str(outcome)
    assert log.head == 1
    assert await log.append([new(2)], expected_head=1) == 2
    assert numbers(await take(following, 1)) == [2]
    assert numbers(await everything(log)) == [1, 2]


async def test_an_expected_head_is_compared_with_what_is_durable_not_with_what_is_being_written(
    log: FileEventLog, syncs: Syncs
) -> None:
    syncs.failing = 1
    appends = (log.append([new(8)]), log.append([new(1)], expected_head=0))
    failed, head = await asyncio.gather(*appends, return_exceptions=True)
    assert isinstance(failed, LogUnavailable)
    assert head == 1
    assert numbers(await everything(log)) == [1]


async def test_what_cannot_be_taken_back_at_once_is_taken_back_before_the_next_append(
    log: FileEventLog, syncs: Syncs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await log.append([new(1)])
    syncs.failing = 3  # the append's, the one of taking back, and that once more
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            await log.append(new_batch(3, 2))
        assert "failed append not taken back" in caplog.text
    assert await log.append([new(2)]) == 2
    assert len(segments(tmp_path)[0].read_bytes().splitlines()) == 2


async def test_a_full_disk_is_unavailable_and_the_log_goes_on_when_there_is_room(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path)
    await log.append(new_batch(10))
    (path,) = segments(tmp_path)
    size = path.stat().st_size
    with file_size_limit(size + 700_000):  # some slices go through whole, one in part
        with pytest.raises(LogUnavailable) as unavailable:
            await log.append(new_batch(20_000, 11))
        assert path.stat().st_size == size
        assert await log.append([new(11)]) == 11
    assert isinstance(unavailable.value.__cause__, OSError)
    assert await log.append(new_batch(20_000, 12)) == 20_011
    assert numbers(await everything(log)) == list(range(1, 20_012))
    await log.close()
    log = await FileEventLog.open(tmp_path)
    assert log.head == 20_011
    await log.close()


async def test_a_segment_that_cannot_be_begun_is_begun_by_the_next_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await FileEventLog.open(tmp_path, segment_bytes=1)
    await log.append([new(1)])

    def fail(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(file_log, "sync_folder", fail)
        with pytest.raises(LogUnavailable, match="No space left"):
            await log.append([new(2)])
    assert await log.append([new(2)]) == 2
    assert [path.name[-7:] for path in segments(tmp_path)] == ["1.jsonl", "2.jsonl"]
    assert numbers(await everything(log)) == [1, 2]
    await log.close()


async def test_a_cancelled_append_disturbs_no_other(log: FileEventLog) -> None:
    appends = [asyncio.ensure_future(log.append([new(number)])) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    appends[1].cancel()
    heads = await asyncio.gather(*appends, return_exceptions=True)
    assert isinstance(heads[1], asyncio.CancelledError)
    stored = numbers(await everything(log))
    assert stored in ([1, 3], [1, 2, 3])
    assert heads[2] == len(stored)
    assert await log.append([new(4)]) == len(stored) + 1


async def test_closing_stores_what_append_was_given(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path)
    appends = [asyncio.ensure_future(log.append([new(number)])) for number in (1, 2)]
    await asyncio.sleep(0)
    await log.close()
    assert await asyncio.gather(*appends) == [1, 2]


async def test_a_log_has_one_writer(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path)
    with pytest.raises(LogInUse, match=r"another process writes the event log in .*: stop it"):
        await FileEventLog.open(tmp_path)
    await log.append([new(1)])
    await log.close()
    log = await FileEventLog.open(tmp_path)
    await log.close()


async def test_a_folder_that_cannot_be_one_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "log"):
        with pytest.raises(LogUnavailable, match="cannot open the event log") as unavailable:
            await FileEventLog.open(folder)
        assert isinstance(unavailable.value.__cause__, OSError)


async def test_a_failed_opening_leaves_the_folder_free(tmp_path: Path) -> None:
    stranger = tmp_path / "notes.jsonl"
    stranger.write_text("")
    for _ in range(2):
        with pytest.raises(LogCorrupt, match=r"notes\.jsonl: the name is not that of a segment"):
            await FileEventLog.open(tmp_path)
    stranger.unlink()
    await (await FileEventLog.open(tmp_path)).close()


async def test_a_reader_dropped_half_way_leaves_nothing_open(log: FileEventLog) -> None:
    await log.append(new_batch(50))
    before = set(os.listdir("/proc/self/fd"))
    async for _ in log.follow():
        break
    assert set(os.listdir("/proc/self/fd")) <= before


async def test_opening_says_where_the_log_stands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await (await FileEventLog.open(tmp_path)).close()
    assert f"event log opened folder={tmp_path} head=0 segments=1" in caplog.text
