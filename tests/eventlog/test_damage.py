"""What a log does that is not as it was written: properties over any cut, any flipped byte, any kill."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_profile.eventlog import FileEventLog, LogCorrupt, LogUnavailable, Record, verify
from tests.eventlog.contract import everything, everything_of, new, new_batch, numbers

SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=6)
T = TypeVar("T")
PROPERTY = settings(max_examples=100, deadline=None)


def run(main: Coroutine[object, object, T]) -> T:
    return asyncio.run(main)


async def build(folder: Path, sizes: list[int], *, segment_bytes: int = 600, snapshot: int | None = None) -> None:
    log = await FileEventLog.open(folder, segment_bytes=segment_bytes)
    for size in sizes:
        await log.append(new_batch(size, log.head + 1))
    if snapshot is not None:
        await log.save_snapshot(snapshot, [b"state"])
    await log.close()


async def reopened(folder: Path) -> list[Record]:
    log = await FileEventLog.open(folder)
    try:
        records = await everything(log)
        assert len(records) == log.head
        return records
    finally:
        await log.close()


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def cut(folder: Path, length: int) -> None:
    """Keep the first `length` bytes of the log, as if the rest had never been written."""
    for path in segments(folder):
        size = path.stat().st_size
        if length <= 0 and path != segments(folder)[0]:
            path.unlink()
        elif length < size:
            os.truncate(path, max(length, 0))
        length -= size


def whole_batches(folder: Path) -> int:
    """How many records are in whole batches, by what is on disk, read in another way than the log reads it."""
    lines = b"".join(path.read_bytes() for path in segments(folder)).split(b"\n")[:-1]
    return max((number for number, line in enumerate(lines, 1) if b'"left":0,' in line), default=0)


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "log"


@PROPERTY
@given(sizes=SIZES, where=st.floats(0, 1))
def test_a_log_cut_at_any_byte_reopens_at_the_last_whole_batch(sizes: list[int], where: float) -> None:
    with scratch() as folder:
        run(build(folder, sizes))
        written = run(reopened(folder))
        cut(folder, int(where * sum(path.stat().st_size for path in segments(folder))))
        head = whole_batches(folder)
        assert head in [sum(sizes[:count]) for count in range(len(sizes) + 1)]
        assert run(verify(folder)).head == head
        assert run(reopened(folder)) == written[:head]
        assert run(verify(folder)).torn_bytes == 0
        run(build(folder, [3]))
        assert numbers(run(reopened(folder))) == list(range(1, head + 4))


def place_of_a_byte(content: bytes | bytearray) -> st.SearchStrategy[int]:
    """Anywhere; and often at a newline, of which there are few and each holds two records apart."""
    anywhere = st.integers(0, len(content) - 1)
    newlines = [index for index, byte in enumerate(content) if byte == ord("\n")]
    return anywhere | st.sampled_from(newlines) if newlines else anywhere


@PROPERTY
@given(data=st.data(), sizes=SIZES, tail=st.integers(0, 300), flip=st.integers(1, 255))
def test_a_flipped_byte_is_detected_or_in_an_unfinished_line(
    data: st.DataObject, sizes: list[int], tail: int, flip: int
) -> None:
    with scratch() as folder:
        run(build(folder, sizes))
        written = run(reopened(folder))
        last = segments(folder)[-1]
        os.truncate(last, max(0, last.stat().st_size - tail))
        head = whole_batches(folder)
        path = data.draw(st.sampled_from(segments(folder)).filter(lambda path: path.stat().st_size))
        content = bytearray(path.read_bytes())
        offset = data.draw(place_of_a_byte(content))
        unfinished = path == last and offset > content.rfind(b"\n") and flip ^ content[offset] != ord("\n")
        content[offset] ^= flip
        path.write_bytes(content)
        if unfinished:
            assert run(reopened(folder)) == written[:head]
        else:
            with pytest.raises(LogCorrupt):
                run(verify(folder))
            with pytest.raises(LogCorrupt):
                run(reopened(folder))
            assert path.read_bytes() == content, "a damaged log was changed"


@PROPERTY
@given(data=st.data(), sizes=SIZES, flip=st.integers(1, 255))
def test_no_flipped_byte_gives_a_wrong_record_when_a_snapshot_made_opening_short(
    data: st.DataObject, sizes: list[int], flip: int
) -> None:
    with scratch() as folder:
        run(build(folder, sizes, snapshot=data.draw(st.integers(0, sum(sizes)))))
        path = data.draw(st.sampled_from(segments(folder)))
        content = bytearray(path.read_bytes())
        content[data.draw(place_of_a_byte(content))] ^= flip
        path.write_bytes(content)
        with pytest.raises(LogCorrupt):
            run(reopened(folder))


@settings(max_examples=40, deadline=None)
@given(sizes=SIZES, later=SIZES, data=st.data())
def test_followers_from_anywhere_see_every_record_once_in_order(
    sizes: list[int], later: list[int], data: st.DataObject
) -> None:
    starts = data.draw(st.lists(st.integers(0, sum(sizes)), min_size=1, max_size=5))

    async def main(folder: Path) -> None:
        await build(folder, sizes)
        log = await FileEventLog.open(folder, segment_bytes=300)
        async with asyncio.TaskGroup() as group:
            followers = [group.create_task(everything_of(log.follow(start))) for start in starts]
            firsts = [sum(sizes) + 1 + sum(later[:index]) for index in range(len(later))]
            await asyncio.gather(*(log.append(new_batch(n, first)) for n, first in zip(later, firsts, strict=True)))
            await log.close()
        for start, follower in zip(starts, followers, strict=True):
            assert numbers(follower.result()) == list(range(start + 1, sum(sizes) + sum(later) + 1))

    with scratch() as folder:
        run(main(folder))


async def test_a_torn_tail_is_cut_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await build(tmp_path, [2, 3], segment_bytes=10_000)
    (path,) = segments(tmp_path)
    whole = path.stat().st_size
    os.truncate(path, whole - 1)
    report = await verify(tmp_path)
    assert (report.records, report.segments, report.head) == (2, 1, 2)
    assert [record.position for record in await reopened(tmp_path)] == [1, 2]
    assert f"torn tail cut path={path} bytes={report.torn_bytes} head=2" in caplog.text
    assert path.stat().st_size == whole - 1 - report.torn_bytes


async def test_a_batch_torn_in_an_earlier_segment_is_corrupt(tmp_path: Path) -> None:
    await build(tmp_path, [5, 5, 5])
    os.truncate(segments(tmp_path)[0], segments(tmp_path)[0].stat().st_size - 1)
    with pytest.raises(LogCorrupt, match="ends within a batch") as corrupt:
        await reopened(tmp_path)
    assert (corrupt.value.path, corrupt.value.line) == (segments(tmp_path)[0], 5)


@pytest.mark.parametrize(
    ("missing", "reason"), [(0, "segments before this one are missing"), (1, "where position 6 is expected")]
)
async def test_a_missing_segment_is_corrupt(tmp_path: Path, missing: int, reason: str) -> None:
    await build(tmp_path, [5, 5, 5])
    segments(tmp_path)[missing].unlink()
    with pytest.raises(LogCorrupt, match=reason):
        await reopened(tmp_path)
    with pytest.raises(LogCorrupt, match=reason):
        await verify(tmp_path)


async def test_damage_that_happens_while_the_log_is_open_is_corrupt(tmp_path: Path) -> None:
    await build(tmp_path, [5, 5, 5])
    log = await FileEventLog.open(tmp_path)
    first, second, _ = segments(tmp_path)
    os.truncate(second, second.stat().st_size - 10)
    with pytest.raises(LogCorrupt, match="the file ends before the line does"):
        await everything(log, 7)
    second.unlink()
    with pytest.raises(LogCorrupt, match="the segment is gone"):
        await everything(log)
    os.truncate(first, 0)
    with pytest.raises(LogCorrupt, match="the file ends before position 3"):
        await everything(log, 3)
    await log.close()


async def test_verifying_beside_a_running_log_takes_no_lock(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path)
    await log.append(new_batch(4))
    assert (await verify(tmp_path)).records == 4
    await log.close()


async def test_verifying_what_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="No such file"):
        await verify(tmp_path / "nothing")
    assert (await verify(tmp_path)).segments == 0


APPEND_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from typing import TypeVar
from gitops_profile.eventlog import FileEventLog
from tests.eventlog.contract import new_batch

async def main() -> None:
    log = await FileEventLog.open(Path(sys.argv[1]), segment_bytes=20_000)
    while True:
        print(await log.append(new_batch(50, log.head + 1)), flush=True)

asyncio.run(main())
"""


def test_a_kill_loses_nothing_acknowledged_and_leaves_no_part_of_a_batch(tmp_path: Path) -> None:
    acknowledged = 0
    for round_ in range(1, 6):
        with subprocess.Popen(
            [sys.executable, "-c", APPEND_FOR_EVER, str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        ) as child:
            assert child.stdout
            for _ in range(round_ * 7):
                acknowledged = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
        records = run(reopened(tmp_path))
        assert len(records) >= acknowledged and len(records) % 50 == 0
        assert numbers(records) == list(range(1, len(records) + 1))


async def test_a_record_with_a_good_checksum_but_another_text_is_never_given(tmp_path: Path) -> None:
    """Two lines change places: each is whole, but not in its place."""
    await build(tmp_path, [1, 1, 1], segment_bytes=10_000)
    (path,) = segments(tmp_path)
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + third + second)
    with pytest.raises(LogCorrupt, match="position 3 stands where 2 is expected") as corrupt:
        await reopened(tmp_path)
    assert corrupt.value.line == 2


async def test_a_damaged_newline_before_an_unfinished_append_does_not_take_an_acknowledged_batch_along(
    tmp_path: Path,
) -> None:
    await build(tmp_path, [1, 3], segment_bytes=10_000)
    (path,) = segments(tmp_path)
    content = bytearray(path.read_bytes())
    newline = content.index(b"\n")
    content[newline] ^= 1
    path.write_bytes(content[: newline + 50])
    with pytest.raises(LogCorrupt, match="newline") as corrupt:
        await reopened(tmp_path)
    assert corrupt.value.line == 1


async def test_a_lost_append_can_be_made_again(tmp_path: Path) -> None:
    await build(tmp_path, [2, 3])
    os.truncate(segments(tmp_path)[-1], segments(tmp_path)[-1].stat().st_size - 5)
    log = await FileEventLog.open(tmp_path)
    assert await log.append([new(3)], expected_head=2) == 3
    await log.close()
