"""The table of another process is the table of the one that writes the log, whenever it looks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_profile.eventlog import FileEventLog
from gitops_profile.presentity import (
    PresentityEvent,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    ProfileRemoved,
    RevisionApplied,
    RevisionStamp,
)
from gitops_profile.reconcile import FollowedTable, replay


def stamp(number: int) -> RevisionStamp:
    return RevisionStamp(f"{number:040x}", "Ann <a@b>", "Ann <a@b>", "2025-01-01T00:00:00Z", "it")


def document(user: str, body: str) -> ProfileDocument:
    aliases = (ProfileKey.user("example.com", f"{user}-alias"),)
    return ProfileDocument(
        ProfileKey.user("example.com", user), "text/xml", body.encode(), f"user/example.com/{user}.xml", aliases=aliases
    )


def revisions() -> Iterator[list[PresentityEvent]]:
    for number in range(1, 12):
        user = f"u{number % 4}"
        events: list[PresentityEvent] = [ProfileAdded(document(user, "1"), stamp(number))]
        if number > 4:
            events = [ProfileChanged(document(user, str(number)), stamp(number))]
        if number == 9:
            events = [ProfileRemoved(ProfileKey.user("example.com", user), f"{user}.xml", stamp(number))]
        yield [*events, RevisionApplied(stamp(number), "main", "profiles", number, 1, 0, 0)]


@pytest.mark.parametrize("snapshot_at", [None, 4])
async def test_it_is_the_same_table_at_every_revision(tmp_path: Path, snapshot_at: int | None) -> None:
    log = await FileEventLog.open(tmp_path / "log", segment_bytes=900)
    journal = await replay(log)
    moved: list[int] = []
    journal.on_moved.append(lambda: moved.append(journal.position))
    followed: FollowedTable | None = None
    for number, events in enumerate(revisions()):
        keys = await journal.append(events)
        if number == snapshot_at:
            await log.save_snapshot(journal.position, list(journal.table.snapshot()))
        if number == 5:
            followed = await FollowedTable.open(tmp_path / "log", log.extent)
        elif followed is not None:
            assert await followed.advance(log.extent) == keys
            assert await followed.advance(log.extent) == []
        if followed is not None:
            assert list(followed.table.snapshot()) == list(journal.table.snapshot())
            assert followed.table.applied == journal.table.applied
    assert moved == list(range(2, 24, 2))
    await log.close()
