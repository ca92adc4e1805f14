"""Revisions that look like a mistake: held until somebody approves them, or a better one comes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitops_profile.eventlog import VersionConflict
from gitops_profile.presentity import PresentityTable, RevisionApproved
from gitops_profile.reconcile import NotHeld, Verdict, approve
from tests.signing import raw, store

from .lab import Lab

USERS = "profiles/user/example.com"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    laboratory = Lab(tmp_path)
    yield laboratory
    await laboratory.close()


MANY: dict[str, str | bytes | None] = {f"{USERS}/u{i}.xml": "<u/>" for i in range(30)}


async def hold(lab: Lab) -> str:
    """A lab of thirty profiles, and a commit that removes 25 of them."""
    lab.git.commit(MANY)
    await lab.reconcile()
    held = lab.git.commit(dict.fromkeys(list(MANY)[:25]))
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.HELD and "max_removals: 25" in str(outcome.problems[0])
    assert len(lab.journal.table) == 30 and lab.told[1:] == []
    return held


async def test_too_many_removals_are_held_unless_they_are_meant(lab: Lab) -> None:
    await hold(lab)
    lab.git.commit({"profiles/profiles.yaml": "max_removals: 25\n"})
    assert (await lab.reconcile()).removed == 25
    assert lab.journal.table.held is None


async def test_a_file_that_gets_another_name_empties_nothing(lab: Lab) -> None:
    lab.git.commit({f"{USERS}/a.xml": "<a/>", f"{USERS}/b.xml": "<b/>"})
    await lab.reconcile()
    lab.git.commit({f"{USERS}/a.xml": None, f"{USERS}/c.xml": "<a/>"})
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_what_is_approved_comes_into_force_and_only_then(lab: Lab) -> None:
    held = await hold(lab)
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED, "the same revision again is held as before (I2)"
    assert (await lab.types())[-1] == "RevisionHeld"
    event = await approve(lab.journal, held[:7], "root")
    assert event.revision.commit == held and len(lab.journal.table) == 30
    assert (await lab.reconcile()).removed == 25
    assert (await lab.types())[-27:] == ["RevisionApproved", *["ProfileRemoved"] * 25, "RevisionApplied"]
    assert (lab.journal.table.held, lab.journal.table.approved) == (None, None)
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED
    assert await lab.replayed() == lab.journal.table == await lab.loaded_anew(held)


async def test_an_approval_outlives_the_process(lab: Lab) -> None:
    held = await hold(lab)
    await approve(lab.journal, held, "root")
    for table in (await lab.replayed(), PresentityTable.from_snapshot(b"".join(lab.journal.table.snapshot()))):
        assert table.held is not None and table.held.revision.commit == held
        assert table.approved is not None and (table.approved.commit, table.approved.by) == (held, "root")
    lab.journal.table = await lab.replayed()
    await lab.loading.close()  # a load of everything finds the same removals
    assert (await lab.reconcile()).removed == 25


async def test_an_approval_is_of_that_commit_alone(lab: Lab) -> None:
    held = await hold(lab)
    for wrong, words in ((held[:6], held), ("0" * 40, held), ("", held)):
        with pytest.raises(NotHeld, match=words):
            await approve(lab.journal, wrong, "root")
    await approve(lab.journal, held, "root")
    newer = lab.git.commit({f"{USERS}/u29.xml": "<newer/>"})
    assert (await lab.reconcile()).verdict is Verdict.HELD, "it still removes 25"
    assert lab.journal.table.approved is None
    with pytest.raises(NotHeld, match=newer):
        await approve(lab.journal, held, "root")
    lab.git("revert", "--no-edit", held)
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    with pytest.raises(NotHeld, match="no revision waits"):
        await approve(lab.journal, newer, "root")


async def test_an_approval_opens_no_problem(lab: Lab) -> None:
    held = await hold(lab)
    await approve(lab.journal, held, "root")
    lab.git("reset", "-q", "--hard", held)
    lab.git.commit({f"{USERS}/u29.yaml": "body: [\n"})
    assert (await lab.reconcile()).verdict is Verdict.REJECTED
    assert lab.journal.table.held is None and lab.journal.table.approved is None


async def test_an_approval_that_meets_a_newer_verdict_is_looked_at_again(lab: Lab) -> None:
    held = await hold(lab)
    append = lab.journal.append

    async def overtaken(*arguments: object, **options: object) -> object:
        lab.journal.append = append  # type: ignore[method-assign]
        lab.git.commit(MANY)
        assert (await lab.reconcile()).verdict is Verdict.APPLIED
        raise VersionConflict(1, 2)

    lab.journal.append = overtaken  # type: ignore[method-assign,assignment]
    with pytest.raises(NotHeld):
        await approve(lab.journal, held, "root")
    assert "RevisionApproved" not in await lab.types()


@pytest.mark.parametrize("warm", [True, False])
async def test_the_last_profile_does_not_go_unasked(lab: Lab, warm: bool) -> None:
    lab.git.commit({f"{USERS}/a.xml": "<a/>", f"{USERS}/b.xml": "<b/>", "profiles/README": "x"})
    await lab.reconcile()
    emptied = lab.git.commit({f"{USERS}/a.xml": None, f"{USERS}/b.xml": None})
    if not warm:
        await lab.loading.close()
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.HELD and "all 2 profiles" in str(outcome.problems[0])
    await approve(lab.journal, emptied, "root")
    assert (await lab.reconcile()).removed == 2 and len(lab.journal.table) == 0


async def test_the_last_profile_may_be_replaced_or_go_when_that_is_written(lab: Lab) -> None:
    lab.git.commit({f"{USERS}/a.xml": "<a/>"})
    await lab.reconcile()
    lab.git.commit({f"{USERS}/a.xml": None, f"{USERS}/b.xml": "<b/>"})
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    lab.git.commit({f"{USERS}/b.xml": None, "profiles/profiles.yaml": "max_removals: 1\n"})
    assert (await lab.reconcile()).removed == 1


@pytest.mark.parametrize(
    ("rewrites", "verdict"), [("allow", Verdict.APPLIED), ("hold", Verdict.HELD), ("refuse", Verdict.REJECTED)]
)
async def test_rewritten_history_is_applied_held_or_refused(lab: Lab, rewrites: str, verdict: Verdict) -> None:
    lab.rewrites = rewrites
    lab.git.commit({f"{USERS}/a.xml": "<a/>"})
    await lab.reconcile()
    merged = lab.git.commit({f"{USERS}/a.xml": "<merged/>"})
    await lab.reconcile()
    lab.git("reset", "-q", "--hard", "HEAD~1")
    forced = lab.git.commit({f"{USERS}/a.xml": "<forced/>"})
    outcome = await lab.reconcile()
    assert outcome.verdict is verdict
    if verdict is not Verdict.APPLIED:
        assert f"no longer contains {merged[:12]}" in str(outcome.problems[0])
        assert lab.bodies() == {"user/example.com/a": b"<merged/>"}
    if verdict is Verdict.REJECTED:
        with pytest.raises(NotHeld):
            await approve(lab.journal, forced, "root")
    if verdict is Verdict.HELD:
        await approve(lab.journal, forced, "root")
        assert (await lab.reconcile()).verdict is Verdict.APPLIED
        assert lab.bodies() == {"user/example.com/a": b"<forced/>"}
    assert (await lab.types()).count("HistoryRewritten") == 1


async def test_a_parent_that_git_does_not_see_is_no_history(lab: Lab) -> None:
    lab.rewrites = "hold"
    lab.git.commit({f"{USERS}/a.xml": "<a/>"})
    await lab.reconcile()
    seen = raw(lab.git, lab.git.commit({f"{USERS}/a.xml": "<forced/>"}))
    pretended = store(lab.git, seen.replace(b"\nparent ", b"\nx-other 1\nparent ", 1))
    assert not lab.git("log", "-1", "--format=%P", pretended)
    assert (await lab.reconcile(pretended)).verdict is Verdict.HELD


def test_an_approval_folds_to_the_same_from_the_log() -> None:
    table = PresentityTable()
    table.apply(RevisionApproved("1" * 40, "main", "root", "2026-01-01T00:00:00Z"))
    assert PresentityTable.from_snapshot(b"".join(table.snapshot())).approved == table.approved
