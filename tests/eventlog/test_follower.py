"""A log followed from another process: all that is durable, once, and nothing that is not."""

from pathlib import Path

import pytest

from gitops_profile.eventlog import FileEventLog, LogFollower, NewRecord, load_snapshot, read_log


def records(*names: str) -> list[NewRecord]:
    return [NewRecord(name, "Added", 1, b'{"name":"%b"}' % name.encode()) for name in names]


async def read(follower: LogFollower, log: FileEventLog) -> list[str]:
    return [record.stream async for block in follower.read_to(log.extent) for record in block]


async def test_each_record_comes_once_over_segments(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path / "log", segment_bytes=500)
    follower, seen, names = LogFollower(tmp_path / "log"), [], []
    assert await read(follower, log) == []
    for number in range(30):
        some = [f"n{number}-{index}" for index in range(number % 4 + 1)]
        names += some
        await log.append(records(*some))
        if number % 3:
            seen += await read(follower, log)
    seen += await read(follower, log)
    assert seen == names and len(log.extent[1]) > 3 and await read(follower, log) == []
    await log.close()


async def test_it_begins_behind_a_snapshot(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path / "log", segment_bytes=500)
    assert load_snapshot(tmp_path / "log") is None
    for name in "abcdefgh":
        await log.append(records(name))
    await log.save_snapshot(5, [b"state"])
    assert load_snapshot(tmp_path / "log") == (5, b"state")
    follower = LogFollower(tmp_path / "log", 5)
    assert await read(follower, log) == ["f", "g", "h"]
    at_head = LogFollower(tmp_path / "log", log.head)
    assert await read(at_head, log) == []
    await log.append(records("i"))
    assert await read(at_head, log) == await read(follower, log) == ["i"]
    await log.close()


async def test_what_is_not_durable_yet_is_not_read(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path / "log")
    await log.append(records("a"))
    extent = log.extent
    await log.append(records("b"))
    with next((tmp_path / "log").glob("*.jsonl")).open("ab") as file:
        file.write(b'{"position":3,"left":0,"ti')  # an append that is under way
    follower = LogFollower(tmp_path / "log")
    assert [record.stream async for block in follower.read_to(extent) for record in block] == ["a"]
    assert await read(follower, log) == ["b"]
    await log.close()


@pytest.mark.parametrize("behind", [b'{"position":3,"left":0,"ti', b""], ids=["torn", "whole"])
async def test_an_append_that_did_not_finish_is_no_damage_for_who_reads_the_files(
    tmp_path: Path, behind: bytes
) -> None:
    log = await FileEventLog.open(tmp_path / "log")
    await log.append(records("a", "b"))
    await log.close()
    with next((tmp_path / "log").glob("*.jsonl")).open("ab") as file:
        file.write(behind)
    assert [record.stream async for record in read_log(tmp_path / "log")] == ["a", "b"]
    assert [record.stream async for record in read_log(tmp_path / "log", 1)] == ["b"]
    assert [record.stream async for record in read_log(tmp_path / "log", 2)] == []


async def test_the_files_are_read_from_anywhere_in_any_segment(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path / "log", segment_bytes=500)
    names = [f"n{number}" for number in range(20)]
    for name in names:
        await log.append(records(name))
    assert len(log.extent[1]) > 3
    await log.close()
    for after in range(len(names) + 1):
        assert [record.stream async for record in read_log(tmp_path / "log", after)] == names[after:]
