"""Each commit of a push has its verdict, each once; and a ref that left its history is noted once."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitops_profile.presentity import RevisionSuperseded, decode_event
from gitops_profile.reconcile import MAX_SUPERSEDED, Verdict

from .lab import Lab

USERS = "profiles/user/example.com"
ALICE = f"{USERS}/alice.xml"
BROKEN: dict[str, str | bytes | None] = {f"{USERS}/broken.yaml": "a: ["}
MENDED: dict[str, str | bytes | None] = {f"{USERS}/broken.yaml": None}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    laboratory = Lab(tmp_path / "work")
    yield laboratory
    await laboratory.close()


async def superseded(lab: Lab) -> list[RevisionSuperseded]:
    events = [
        decode_event(record.type, record.version, record.data)
        async for record in lab.log.read(0)
        if record.type == "RevisionSuperseded"
    ]
    return [event for event in events if isinstance(event, RevisionSuperseded)]


async def test_commits_pushed_at_once_each_have_their_verdict_in_one_batch(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    before = lab.log.head
    first, second, third = (lab.git.commit({ALICE: f"<a{n}/>"}, f"number {n}") for n in range(3))
    outcome = await lab.reconcile()
    assert (outcome.verdict, outcome.commit, outcome.superseded) == (Verdict.APPLIED, third, (first, second))
    assert (await lab.types())[before:] == [*["RevisionSuperseded"] * 2, "ProfileChanged", "RevisionApplied"]
    assert [(e.revision.commit, e.revision.message, e.by, e.older) for e in await superseded(lab)] == [
        (first, "number 0", third, 0),
        (second, "number 1", third, 0),
    ]
    assert [event.revision.commit for event in lab.journal.table.superseded] == [first, second]


async def test_a_history_that_is_new_as_a_whole_has_no_superseded_commits(lab: Lab) -> None:
    for n in range(3):
        lab.git.commit({ALICE: f"<a{n}/>"})
    assert (await lab.reconcile()).superseded == ()
    lab.git("checkout", "-q", "--orphan", "other")
    for n in range(3):
        lab.git.commit({ALICE: f"<b{n}/>"})
    assert (await lab.reconcile()).superseded == ()
    assert Counter(await lab.types())["HistoryRewritten"] == 1


async def test_what_was_rejected_stays_rejected(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    skipped = lab.git.commit({ALICE: "<a1/>"})
    broken = lab.git.commit(BROKEN)
    outcome = await lab.reconcile()
    assert (outcome.verdict, outcome.superseded) == (Verdict.REJECTED, (skipped,))
    later = lab.git.commit({ALICE: "<a2/>"})
    lab.git.commit(MENDED)
    outcome = await lab.reconcile()
    assert (outcome.verdict, outcome.superseded) == (Verdict.APPLIED, (later,))
    assert broken not in {event.revision.commit for event in await superseded(lab)}


async def test_nothing_is_said_twice_after_a_restart(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    lab.git.commit({ALICE: "<a1/>"})
    lab.git.commit(BROKEN)
    await lab.reconcile()
    before = lab.log.head
    await lab.restart()
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED and lab.log.head == before
    lab.git.commit(MENDED)
    await lab.reconcile()
    verdicts = Counter(event.revision.commit for event in await superseded(lab))
    assert set(verdicts.values()) == {1} and len(verdicts) == 1


async def test_what_was_seen_and_overtaken_has_its_verdict_though_it_is_on_no_branch_any_more(lab: Lab) -> None:
    base = lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    seen = lab.git.commit({ALICE: "<a1/>"})
    lab.git("reset", "-q", "--hard", base)
    head = lab.git.commit({ALICE: "<a2/>"})
    assert (await lab.reconcile(head, overtaken=[seen, base, seen])).superseded == (seen,)
    assert [event.older for event in await superseded(lab)] == [0]
    other = lab.git.commit({ALICE: "<a3/>"})
    lab.git("reset", "-q", "--hard", head)
    outcome = await lab.reconcile(head, overtaken=[other])
    assert (outcome.verdict, outcome.superseded) == (Verdict.UNCHANGED, (other,))
    before = lab.log.head
    assert (await lab.reconcile(head, overtaken=[other, head])).superseded == () and lab.log.head == before


async def test_what_had_its_verdict_once_has_no_other_when_it_is_pushed_again(lab: Lab) -> None:
    base = lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    lab.git.commit(BROKEN)
    await lab.reconcile()
    lab.git.commit(MENDED)
    await lab.reconcile()
    tip = lab.git.head()
    lab.git("reset", "-q", "--hard", base)
    await lab.reconcile()
    await lab.restart()
    lab.git("reset", "-q", "--hard", tip)
    lab.git.commit({ALICE: "<a2/>"})
    assert (await lab.reconcile()).superseded == ()


async def test_of_a_merge_only_the_branch_itself_is_looked_through(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    lab.git("checkout", "-q", "-b", "side")
    lab.git.commit({f"{USERS}/bob.xml": "<b/>"})
    lab.git("checkout", "-q", "main")
    own = lab.git.commit({ALICE: "<a1/>"})
    lab.git("merge", "-q", "--no-edit", "side")
    assert (await lab.reconcile()).superseded == (own,)


async def test_a_push_of_thousands_is_a_hundred_records_and_a_number(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    tree = lab.git("rev-parse", "HEAD^{tree}")
    stream = [
        f"commit refs/heads/main\ncommitter C <c@example.com> {1767225600 + n} +0000\ndata 1\nx\n" for n in range(3000)
    ]
    stream[0] += "from refs/heads/main^0\n"
    lab.git.feed("fast-import", "--quiet", given="".join(stream).encode())
    assert lab.git("rev-parse", "HEAD^{tree}") == tree
    before = lab.log.head
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.APPLIED and lab.log.head - before == MAX_SUPERSEDED + 1
    found = await superseded(lab)
    assert [event.older for event in found] == [2999 - MAX_SUPERSEDED] + [0] * (MAX_SUPERSEDED - 1)


async def test_a_rewritten_history_is_noted_once_also_when_its_head_is_rejected(lab: Lab) -> None:
    base = lab.git.commit({ALICE: "<a/>"})
    lab.git.commit({ALICE: "<a1/>"})
    await lab.reconcile()
    lab.git("reset", "-q", "--hard", base)
    lab.git.commit(BROKEN)
    assert (await lab.reconcile()).verdict is Verdict.REJECTED
    assert (await lab.types())[-2:] == ["HistoryRewritten", "RevisionRejected"]
    await lab.restart()
    lab.git.commit({ALICE: "<a2/>"})
    assert (await lab.reconcile()).verdict is Verdict.REJECTED
    lab.git.commit(MENDED)
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    assert Counter(await lab.types())["HistoryRewritten"] == 1
    lab.git("reset", "-q", "--hard", base)
    await lab.reconcile()
    assert Counter(await lab.types())["HistoryRewritten"] == 2
