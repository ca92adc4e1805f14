"""What a revision will append, laid out before it is accepted."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitops_profile.eventlog import MemoryEventLog
from gitops_profile.presentity import ProfileDocument, ProfileKey, RevisionStamp
from gitops_profile.reconcile import Journal, Verdict, replay
from gitops_profile.reconcile.preparing import Preparing
from tests.reconcile.lab import Lab

USERS = "profiles/user/example.com"
STAMP = RevisionStamp("c" * 40, "Ann", "Ann", "2025-01-01T00:00:00Z", "change")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    lab = Lab(tmp_path / "repository")
    yield lab
    await lab.close()


def document(user: str, body: bytes) -> ProfileDocument:
    return ProfileDocument(ProfileKey.user("example.com", user), "text/xml", body, f"user/example.com/{user}.xml")


async def drafted(journal: Journal, *documents: ProfileDocument) -> Preparing:
    preparing = Preparing(journal.table, STAMP)
    take = preparing.begin()
    for one in documents:
        take([one])
    return preparing


async def test_nothing_is_in_the_log_or_the_table_before_it_is_appended() -> None:
    journal = await replay(MemoryEventLog())
    preparing = await drafted(journal, document("a", b"1"), document("b", b"2"))
    assert (journal.log.head, len(journal.table), journal.position) == (0, 0, 0)
    draft = preparing.draft(STAMP)
    assert draft is not None and await journal.append([], draft) == [
        ProfileKey.user("example.com", "a"), ProfileKey.user("example.com", "b"),
    ]  # fmt: skip
    assert (journal.log.head, len(journal.table)) == (2, 2)
    assert (await replay(journal.log)).table == journal.table


async def test_documents_that_are_in_force_already_are_no_events() -> None:
    journal = await replay(MemoryEventLog())
    await journal.append([], (await drafted(journal, document("a", b"1"))).draft(STAMP))
    preparing = await drafted(journal, document("a", b"1"), document("b", b"2"))
    draft = preparing.draft(STAMP)
    assert draft is not None and len(draft.records) == 1


async def test_what_was_prepared_for_another_table_or_stamp_is_not_used() -> None:
    journal = await replay(MemoryEventLog())
    preparing = await drafted(journal, document("a", b"1"))
    assert preparing.draft(RevisionStamp("d" * 40, "Ann", "Ann", "2025-01-01T00:00:00Z", "other")) is None
    await journal.append([], (await drafted(journal, document("b", b"2"))).draft(STAMP))
    assert preparing.draft(STAMP) is None


async def test_what_a_process_gave_before_it_ended_is_forgotten() -> None:
    journal = await replay(MemoryEventLog())
    preparing = await drafted(journal, document("a", b"1"))
    preparing.begin()([document("b", b"2")])
    draft = preparing.draft(STAMP)
    assert draft is not None and [record.stream for record in draft.records] == ["user/example.com/b"]


async def test_who_suspends_while_documents_come_is_heard(lab: Lab) -> None:
    """They were compared with a table that is another one by now."""
    lab.git.commit({f"{USERS}/u{n}.xml": f"<u>{n}</u>" for n in range(2000)})
    await lab.reconcile()
    lab.git.commit({f"{USERS}/u{n}.xml": f"<u>{n}!</u>" for n in range(2000)})
    suspended = False

    async def suspend() -> None:
        nonlocal suspended
        await lab.suspending.suspend("user/example.com/u7", "ann", "")
        suspended = True

    tasks: list[asyncio.Future[None]] = []
    lab.progress = lambda done, total: tasks.append(asyncio.ensure_future(suspend())) if not tasks else None
    outcome = await lab.reconcile()
    assert suspended and (outcome.verdict, outcome.changed, outcome.held_back) == (Verdict.APPLIED, 1999, 1)
    assert lab.bodies()["user/example.com/u7"] == b"<u>7</u>" and lab.bodies()["user/example.com/u8"] == b"<u>8!</u>"
    assert await lab.replayed() == lab.journal.table
