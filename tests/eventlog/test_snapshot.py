import os
from pathlib import Path

import pytest

from gitops_profile.eventlog import Ahead, FileEventLog, LogCorrupt, LogUnavailable, verify
from gitops_profile.eventlog.folder import list_segments, record_line
from gitops_profile.eventlog.snapshot import write_snapshot
from tests.eventlog.contract import everything, new_batch

SEGMENT_BYTES = 600


async def build(folder: Path, *, snapshot: int | None = None) -> None:
    """Three segments of five records each."""
    log = await FileEventLog.open(folder, segment_bytes=SEGMENT_BYTES)
    for _ in range(3):
        await log.append(new_batch(5, log.head + 1))
    if snapshot is not None:
        await log.save_snapshot(snapshot, [b"state"])
    await log.close()


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


async def loaded(folder: Path) -> tuple[int, bytes] | None:
    log = await FileEventLog.open(folder)
    snapshot = await log.load_snapshot()
    await log.close()
    return snapshot


@pytest.mark.parametrize("position", [0, 1, 5, 6, 14, 15])
async def test_a_snapshot_made_anywhere_is_there_after_reopening(tmp_path: Path, position: int) -> None:
    await build(tmp_path, snapshot=position)
    assert await loaded(tmp_path) == (position, b"state")


async def test_opening_with_a_snapshot_scans_only_the_last_segment(tmp_path: Path) -> None:
    await build(tmp_path, snapshot=15)
    damage(segments(tmp_path)[0])
    log = await FileEventLog.open(tmp_path)
    assert log.head == 15
    assert len(await everything(log, 5)) == 10
    with pytest.raises(LogCorrupt):  # noticed by whoever reads it, and by verify
        await everything(log)
    await log.close()
    with pytest.raises(LogCorrupt):
        await verify(tmp_path)


async def test_a_missing_segment_that_opening_did_not_scan_is_found_by_reading(tmp_path: Path) -> None:
    await build(tmp_path, snapshot=15)
    missing, following = segments(tmp_path)[1:]
    missing.unlink()
    log = await FileEventLog.open(tmp_path)
    with pytest.raises(LogCorrupt, match="where position 6 is expected") as corrupt:
        await everything(log)
    assert (corrupt.value.path, corrupt.value.line) == (following, None)
    await log.close()


@pytest.mark.parametrize("kept", [None, 0, 10, 70, -1])
async def test_without_a_good_snapshot_every_segment_is_scanned(tmp_path: Path, kept: int | None) -> None:
    await build(tmp_path, snapshot=15)
    damage(segments(tmp_path)[0])
    snapshot = tmp_path / "snapshot"
    if kept is None:
        snapshot.unlink()
    else:
        snapshot.write_bytes(snapshot.read_bytes()[:kept])
    with pytest.raises(LogCorrupt):
        await FileEventLog.open(tmp_path)


async def test_no_flipped_bit_gives_a_wrong_snapshot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await build(tmp_path, snapshot=7)
    path = tmp_path / "snapshot"
    content = path.read_bytes()
    for index in range(len(content)):
        flipped = bytearray(content)
        flipped[index] ^= 1
        path.write_bytes(flipped)
        try:
            snapshot = await loaded(tmp_path)
        except LogCorrupt as corrupt:
            assert "records are missing" in corrupt.reason, "a flipped position may only be one that is not there"
        else:
            assert snapshot is None
    assert "snapshot ignored" in caplog.text


async def test_a_snapshot_of_another_log_is_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await build(tmp_path / "a", snapshot=7)
    log = await FileEventLog.open(tmp_path / "b")
    await log.append(new_batch(20, 100))
    await log.close()
    os.rename(tmp_path / "a" / "snapshot", tmp_path / "b" / "snapshot")
    assert await loaded(tmp_path / "b") is None
    assert "made from another log" in caplog.text
    assert not (tmp_path / "b" / "snapshot").exists()


async def test_a_snapshot_of_another_log_vouches_for_nothing(tmp_path: Path) -> None:
    await build(tmp_path, snapshot=12)
    path = tmp_path / "snapshot"
    path.write_bytes(path.read_bytes().replace(b'"record_crc":"', b'"record_crc":"of another record: '))
    damage(segments(tmp_path)[0])
    with pytest.raises(LogCorrupt, match="checksum"):
        await FileEventLog.open(tmp_path)


async def test_a_log_that_ends_before_its_snapshot_is_corrupt(tmp_path: Path) -> None:
    await build(tmp_path, snapshot=15)
    last = segments(tmp_path)[-1]
    last.unlink()
    with pytest.raises(LogCorrupt, match="made at position 15, but the log ends at 10: records are missing"):
        await FileEventLog.open(tmp_path)
    for path in segments(tmp_path):
        path.unlink()
    with pytest.raises(LogCorrupt, match=r"the log ends at 0.*if the log was replaced on purpose, delete "):
        await FileEventLog.open(tmp_path)


async def test_what_a_killed_process_left_is_deleted(tmp_path: Path) -> None:
    await build(tmp_path, snapshot=3)
    (tmp_path / "snapshot-abc").write_bytes(b"half")
    assert await loaded(tmp_path) == (3, b"state")
    assert not (tmp_path / "snapshot-abc").exists()


async def test_a_snapshot_that_cannot_be_stored_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await build(tmp_path, snapshot=3)
    log = await FileEventLog.open(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(LogUnavailable, match="cannot store a snapshot in .*No space left"):
            await log.save_snapshot(5, [b"new"])
    assert await log.load_snapshot() == (3, b"state")
    assert [name for name in os.listdir(tmp_path) if name.startswith("snapshot")] == ["snapshot"]
    await log.close()


async def test_opening_checks_what_came_after_the_snapshot_in_the_last_segment(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path)
    await log.append(new_batch(5, 1))
    await log.save_snapshot(5, [b"state"])
    await log.append(new_batch(5, 6))
    await log.close()
    (path,) = segments(tmp_path)
    content = path.read_bytes()
    lines = content.split(b"\n")
    damaged = [*lines[:1], lines[1].replace(b'"position"', b'"positiom"'), *lines[2:]]
    path.write_bytes(b"\n".join(damaged))
    log = await FileEventLog.open(tmp_path)
    assert log.head == 10 and await log.load_snapshot() == (5, b"state")
    assert [record.position for record in await everything(log, 5)] == [6, 7, 8, 9, 10]
    with pytest.raises(LogCorrupt):  # noticed by whoever reads it, and by verify
        await everything(log)
    await log.close()
    path.write_bytes(content.replace(b'"position":8,', b'"position":9,'))
    with pytest.raises(LogCorrupt, match="checksum"):
        await FileEventLog.open(tmp_path)


async def test_a_snapshot_whose_record_is_elsewhere_has_the_whole_segment_checked(tmp_path: Path) -> None:
    await build(tmp_path, snapshot=None)
    log = await FileEventLog.open(tmp_path)
    await log.save_snapshot(14, [b"state"])
    await log.close()
    offset, crc = record_line(list_segments(tmp_path), 14)
    for wrong in (offset + 1, 0, 1 << 40):
        write_snapshot(tmp_path, 14, crc, [b"state"], offset=wrong)
        assert await loaded(tmp_path) == (14, b"state")


async def test_a_snapshot_of_an_older_version_says_not_where_its_record_is(tmp_path: Path) -> None:
    await build(tmp_path, snapshot=None)
    write_snapshot(tmp_path, 14, record_line(list_segments(tmp_path), 14)[1], [b"state"])
    assert b'"offset":null' in (tmp_path / "snapshot").read_bytes()
    assert await loaded(tmp_path) == (14, b"state")


async def test_a_snapshot_may_be_read_ahead(tmp_path: Path) -> None:
    await build(tmp_path, snapshot=15)
    ahead = Ahead(tmp_path)
    log = await FileEventLog.open(tmp_path, ahead=ahead)
    await log.append(new_batch(1, 16))
    await log.save_snapshot(16, [b"newer"])
    assert await log.load_snapshot() == (16, b"newer")
    await log.close()
    older = Ahead(tmp_path)  # read before another server, which then ended, has written a newer one
    log = await FileEventLog.open(tmp_path)
    await log.append(new_batch(1, 17))
    await log.save_snapshot(17, [b"newest"])
    await log.close()
    log = await FileEventLog.open(tmp_path, ahead=older)
    assert (log.head, await log.load_snapshot()) == (17, (16, b"newer"))
    await log.close()


async def test_reading_ahead_finds_nothing_where_nothing_is(tmp_path: Path) -> None:
    log = await FileEventLog.open(tmp_path / "log", ahead=Ahead(tmp_path / "log"))
    assert (log.head, await log.load_snapshot()) == (0, None)
    await log.close()
