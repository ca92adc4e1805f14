"""Suspended and resumed on real repositories: what waits, what goes on, and what the log says of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_profile.presentity import PresentityTable
from gitops_profile.reconcile import NoSuchScope, Verdict

from .lab import Lab

USERS, HQ = "profiles/user/example.com", "profiles/device/example.com/hq"
ALICE, PHONE = f"{USERS}/alice.xml", f"{HQ}/0004f2a1b2c3.xml"
SCOPE = "device/example.com/hq"
DEVICE = "device/example.com/0004f2a1b2c3"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    laboratory = Lab(tmp_path / "work")
    laboratory.git.commit({ALICE: "<a/>", PHONE: "<p/>"})
    await laboratory.reconcile()
    yield laboratory
    await laboratory.close()


async def test_with_all_suspended_nothing_is_applied_until_it_is_resumed(lab: Lab) -> None:
    await lab.suspending.suspend("all", "ann", "a  fair\n")
    event = lab.journal.table.suspensions["all"]
    assert (event.by, event.reason) == ("ann", "a fair") and datetime.fromisoformat(event.at).tzinfo == UTC
    first = lab.git.commit({ALICE: "<a1/>"})
    assert (await lab.reconcile()).verdict is Verdict.SUSPENDED
    await lab.restart()
    lab.git.commit({ALICE: "<a2/>"})
    assert (await lab.reconcile()).verdict is Verdict.SUSPENDED
    assert lab.bodies()["user/example.com/alice"] == b"<a/>"
    assert await lab.suspending.resume("all", "bob") == ("all", 0)
    outcome = await lab.reconcile()
    assert (outcome.verdict, outcome.superseded) == (Verdict.APPLIED, (first,))
    assert (await lab.types())[-5:] == [
        "ApplicationSuspended", "ApplicationResumed", "RevisionSuperseded", "ProfileChanged", "RevisionApplied",
    ]  # fmt: skip


async def test_a_suspended_folder_stays_and_the_rest_goes_on(lab: Lab) -> None:
    await lab.suspending.suspend(f"{SCOPE}/", "ann", "")
    lab.git.commit({ALICE: "<a2/>", PHONE: "<p2/>", f"{HQ}/lobby.xml": "<l/>"})
    outcome = await lab.reconcile()
    assert (outcome.verdict, outcome.changed, outcome.held_back) == (Verdict.APPLIED, 1, 2)
    assert lab.bodies() == {"user/example.com/alice": b"<a2/>", DEVICE: b"<p/>"}
    lab.git.commit({ALICE: "<a3/>"})
    assert (await lab.reconcile()).held_back == 2, "also what this commit does not touch"
    lab.told.clear()
    assert await lab.suspending.resume(SCOPE, "bob") == (SCOPE, 2)
    assert lab.told == [[DEVICE, "device/example.com/lobby"]]
    assert (await lab.types())[-3:] == ["ProfileChanged", "ProfileAdded", "ApplicationResumed"]
    assert lab.journal.table == await lab.loaded_anew(lab.git.head()) == await lab.replayed()
    before = lab.log.head
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED and lab.log.head == before


async def test_what_is_held_back_is_found_again_after_a_restart(lab: Lab) -> None:
    await lab.suspending.suspend(SCOPE, "ann", "")
    lab.git.commit({PHONE: None, ALICE: "<a2/>"})
    await lab.reconcile()
    await lab.restart()
    before = lab.log.head
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED and lab.log.head == before
    lab.git.commit({ALICE: "<a3/>"})
    assert (await lab.reconcile()).held_back == 1
    await lab.restart()
    assert await lab.suspending.resume(SCOPE, "bob") == (SCOPE, 1), "without a look at the head before"
    assert set(lab.bodies()) == {"user/example.com/alice"}


async def test_with_a_rejected_head_a_scope_comes_to_the_last_good_revision(lab: Lab) -> None:
    await lab.suspending.suspend(DEVICE, "ann", "")
    lab.git.commit({PHONE: "<p2/>"})
    await lab.reconcile()
    lab.git.commit({PHONE: "<p3/>", f"{USERS}/broken.yaml": "a: ["})
    assert (await lab.reconcile()).verdict is Verdict.REJECTED
    assert await lab.suspending.resume(DEVICE, "bob") == (DEVICE, 1)
    assert lab.bodies()[DEVICE] == b"<p2/>" and lab.journal.table.rejected is not None
    before = lab.log.head
    await lab.restart()
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED and lab.log.head == before


async def test_of_two_suspensions_each_holds_until_it_is_resumed(lab: Lab) -> None:
    for scope in (SCOPE, DEVICE, "all"):
        await lab.suspending.suspend(scope, "ann", "")
    await lab.suspending.resume("all", "bob")
    lab.git.commit({PHONE: "<p2/>"})
    assert (await lab.reconcile()).held_back == 1
    assert await lab.suspending.resume(SCOPE, "bob") == (SCOPE, 0)
    await lab.suspending.suspend("all", "ann", "")
    assert await lab.suspending.resume(DEVICE, "bob") == (DEVICE, 0), "everything is suspended again"
    assert lab.bodies()[DEVICE] == b"<p/>" and lab.journal.table.suspensions.keys() == {"all"}
    assert await lab.suspending.resume("all", "bob") == ("all", 1)
    assert lab.bodies()[DEVICE] == b"<p2/>"


async def test_removals_that_wait_are_counted_once_by_the_guard(lab: Lab) -> None:
    names = [f"{HQ}/{n:012x}.xml" for n in range(30)]
    lab.git.commit(dict.fromkeys(names, "<p/>"))
    await lab.reconcile()
    await lab.suspending.suspend(SCOPE, "ann", "")
    for part in (names[:12], names[12:24]):
        lab.git.commit(dict.fromkeys(part) | {"profiles/profiles.yaml": f"content_types: {{.a{len(part[0])}: a/b}}\n"})
        assert (await lab.reconcile()).verdict is Verdict.APPLIED
    lab.git.commit({"profiles/profiles.yaml": "content_types: {.xml: text/xml}\n"})
    outcome = await lab.reconcile()
    assert (outcome.verdict, outcome.held_back) == (Verdict.APPLIED, 24)
    assert await lab.suspending.resume(SCOPE, "bob") == (SCOPE, 24)
    assert lab.journal.table == await lab.loaded_anew(lab.git.head())


async def test_the_same_suspend_twice_appends_nothing_and_a_profile_has_one_spelling(lab: Lab) -> None:
    event, fresh = await lab.suspending.suspend("device/example.com/00:04:F2:A1:B2:C3", "ann", "why")
    assert fresh and event.scope == DEVICE
    before = lab.log.head
    assert await lab.suspending.suspend(DEVICE, "bob", "") == (event, False) and lab.log.head == before
    await lab.suspending.resume("device/example.com/0004F2A1B2C3", "ann")
    with pytest.raises(NoSuchScope, match="nothing is"):
        await lab.suspending.resume(DEVICE, "ann")


async def test_a_scope_that_is_not_there_is_refused_and_one_that_is_gone_can_be_resumed(lab: Lab) -> None:
    for scope in ("device/example.com/h", "user/example.com/nobody", "nonsense"):
        with pytest.raises(NoSuchScope, match="there is no profile and no folder"):
            await lab.suspending.suspend(scope, "ann", "")
    lab.git.commit({f"{HQ}/lobby.xml": "<l/>"})
    await lab.reconcile()
    await lab.suspending.suspend("device/example.com/lobby", "ann", "")
    lab.git.commit({f"{HQ}/lobby.xml": None})
    await lab.reconcile()
    with pytest.raises(NoSuchScope, match="suspended are: device/example.com/lobby"):
        await lab.suspending.resume("all", "ann")
    await lab.suspending.resume("device/example.com/lobby", "ann")
    assert lab.journal.table == await lab.loaded_anew(lab.git.head())
    assert not lab.journal.table.suspensions


async def test_who_suspends_while_a_revision_is_decided_is_heard(lab: Lab) -> None:
    lab.git.commit({PHONE: "<p2/>", ALICE: "<a2/>"})
    divide, calls = lab.suspending.divide, 0

    async def slow(loaded: object) -> object:
        nonlocal calls
        calls += 1
        found = await divide(loaded)  # type: ignore[arg-type]
        if calls == 1:
            await lab.suspending.suspend(SCOPE, "ann", "")
        return found

    lab.suspending.divide = slow  # type: ignore[method-assign,assignment]
    outcome = await lab.reconcile()
    assert (calls, outcome.held_back) == (2, 1) and lab.bodies()[DEVICE] == b"<p/>"


async def test_suspensions_survive_in_a_snapshot(lab: Lab) -> None:
    await lab.suspending.suspend(SCOPE, "ann", "why")
    lab.git.commit({PHONE: "<p2/>"})
    await lab.reconcile()
    again = PresentityTable.from_snapshot(b"".join(lab.journal.table.snapshot()))
    assert again.suspensions == lab.journal.table.suspensions and again.applied == lab.journal.table.applied
    await lab.log.save_snapshot(lab.journal.position, list(lab.journal.table.snapshot()))
    await lab.restart()
    assert await lab.suspending.resume(SCOPE, "bob") == (SCOPE, 1)


@pytest.mark.alone
async def test_ten_thousand_profiles_that_are_held_back_do_not_block_the_loop(lab: Lab) -> None:
    names = [f"{HQ}/{n:012x}.xml" for n in range(10_000)]
    lab.git.commit(dict.fromkeys(names, "<p/>"))
    await lab.reconcile()
    gaps: list[float] = []

    async def watch() -> None:
        while True:
            before = time.thread_time()  # not the clock on the wall: the machine has others to serve
            await asyncio.sleep(0.005)
            gaps.append(time.thread_time() - before)

    watcher = asyncio.ensure_future(watch())
    await lab.suspending.suspend(SCOPE, "ann", "")
    lab.git.commit(dict.fromkeys(names, "<p2/>"))
    await asyncio.sleep(0.02)
    gaps.clear()  # git itself is waited for in this test
    assert (await lab.reconcile()).held_back == 10_000
    assert await lab.suspending.resume(SCOPE, "bob") == (SCOPE, 10_000)
    watcher.cancel()
    assert gaps and max(gaps) < 0.25, max(gaps)
