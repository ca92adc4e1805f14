"""A revision is as urgent as what comes into force with it, and git is asked only where that makes a difference."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitops_profile.presentity import ProfileKey

from .lab import Lab

USERS = "profiles/user/example.com"
ALICE, BOB = f"{USERS}/alice.xml", f"{USERS}/bob.xml"
WINDOWS: dict[str, str | bytes | None] = {
    f"{USERS}/defaults.yaml": "notify: {deny: [{cron: 0 8 * * *, duration: 1h}]}\n"
}
NOW = "Fix\n\nDeliver: now"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    laboratory = Lab(tmp_path / "work")
    yield laboratory
    await laboratory.close()


def urgent(lab: Lab) -> list[str]:
    """Users whose newest change is urgent."""
    table = lab.journal.table
    keys = (ProfileKey.user("example.com", name) for name in ("alice", "bob"))
    return [key.name for key in keys if (stamp := table.revision_of(key)) is not None and stamp.urgent]


async def test_only_what_the_urgent_commit_changed_is_urgent_until_it_changes_again(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>", BOB: "<b/>", **WINDOWS})
    await lab.reconcile()
    lab.git.commit({ALICE: "<a2/>"}, NOW)
    await lab.reconcile()
    assert urgent(lab) == ["alice"]
    assert await lab.replayed() == lab.journal.table
    lab.git.commit({ALICE: "<a3/>"})
    await lab.reconcile()
    assert urgent(lab) == []


async def test_a_trailer_of_any_commit_since_the_one_in_force_counts(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>", BOB: "<b/>", **WINDOWS})
    await lab.reconcile()
    lab.git.commit({ALICE: "<a2/>"}, NOW)
    lab.git.commit({f"{USERS}/broken.yaml": "a: ["}, "broken")
    await lab.reconcile()
    assert urgent(lab) == []
    lab.git.commit({f"{USERS}/broken.yaml": None}, "mended")
    await lab.reconcile()
    assert urgent(lab) == ["alice"]
    applied = lab.journal.table.applied
    assert applied is not None and applied.revision.urgent


async def test_what_was_in_force_before_makes_nothing_urgent(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>", BOB: "<b/>", **WINDOWS}, NOW)
    await lab.reconcile()
    assert urgent(lab) == ["alice", "bob"]
    lab.git.commit({BOB: "<b2/>"})
    await lab.reconcile()
    assert urgent(lab) == ["alice"]


async def test_git_is_asked_only_when_something_waits_for_windows(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>", "profiles/user/example.org/carol.xml": "<c/>", **WINDOWS})
    await lab.reconcile()
    lab.git.commit({"profiles/user/example.org/carol.xml": "<c2/>"})
    await lab.reconcile()
    assert lab.asked_urgency == 0
    lab.git.commit({ALICE: "<a2/>"})
    await lab.reconcile()
    assert lab.asked_urgency == 1
