"""Revisions become events: whole or not at all, once, and only what changed."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitops_profile.reconcile import LoaderProcess, Verdict
from gitops_profile.source import PathNotFound

from .lab import Lab

USERS = "profiles/user/example.com"
ALICE, BOB = f"{USERS}/alice.xml", f"{USERS}/bob.xml"
BIG = "{% set ns = namespace(a='aaaaaaaaaaaaaaaa') %}{% for i in range(40) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}x"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    laboratory = Lab(tmp_path / "work", file_seconds=1)
    yield laboratory
    await laboratory.close()


async def test_one_batch_for_each_revision_and_nothing_twice(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>", BOB: "<b/>"})
    outcome = await lab.reconcile()
    assert (outcome.verdict, outcome.added) == (Verdict.APPLIED, 2)
    assert await lab.types() == ["ProfileAdded", "ProfileAdded", "RevisionApplied"]
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED
    lab.git.commit({ALICE: "<a2/>"})
    await lab.reconcile()
    assert (await lab.types())[3:] == ["ProfileChanged", "RevisionApplied"]
    assert lab.told == [["user/example.com/alice", "user/example.com/bob"], ["user/example.com/alice"]]
    assert await lab.replayed() == lab.journal.table


async def test_revert_gives_the_old_bytes_back(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    etag = next(iter(lab.journal.table)).etag
    lab.git.commit({ALICE: "<a2/>"})
    await lab.reconcile()
    lab.git("revert", "--no-edit", "HEAD")
    await lab.reconcile()
    assert next(iter(lab.journal.table)).etag == etag and lab.bodies() == {"user/example.com/alice": b"<a/>"}


async def test_a_broken_revision_is_rejected_whole_and_the_next_good_one_goes_past_it(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    lab.git.commit({ALICE: "<a2/>", f"{USERS}/x.yaml": "a: [", f"{USERS}/y.yaml": "b:b: ["})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.REJECTED and len(outcome.problems) == 2
    assert lab.bodies() == {"user/example.com/alice": b"<a/>"}
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED  # not looked at again and again
    rejected = lab.journal.table.rejected
    assert rejected is not None
    assert {p.path for p in rejected.problems} == {"user/example.com/x.yaml", "user/example.com/y.yaml"}
    lab.git.commit({f"{USERS}/x.yaml": None, f"{USERS}/y.yaml": None})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.APPLIED and lab.bodies() == {"user/example.com/alice": b"<a2/>"}


async def test_rewritten_history_is_noted(lab: Lab) -> None:
    first = lab.git.commit({ALICE: "<a/>"})
    second = lab.git.commit({ALICE: "<a2/>"})
    await lab.reconcile(second)
    lab.git("reset", "-q", "--hard", first)
    await lab.reconcile()
    assert (await lab.types())[-3:] == ["HistoryRewritten", "ProfileChanged", "RevisionApplied"]


async def test_a_force_push_after_which_git_forgot_what_is_in_force_is_applied_at_once(lab: Lab) -> None:
    first = lab.git.commit({ALICE: "<a/>"})
    lab.git.commit({ALICE: "<a2/>", BOB: "<b/>"})
    await lab.reconcile()
    lab.git("reset", "-q", "--hard", first)
    lab.git.commit({ALICE: "<a3/>"})
    lab.git("reflog", "expire", "--expire=now", "--all")
    lab.git("gc", "-q", "--prune=now")
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.APPLIED, outcome
    assert lab.bodies() == {"user/example.com/alice": b"<a3/>"}
    assert "HistoryRewritten" in await lab.types()


async def test_another_folder_is_another_revision(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>", "other/user/example.com/zoe.xml": "<z/>"})
    await lab.reconcile()
    lab.path = "other"
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    assert lab.bodies() == {"user/example.com/zoe": b"<z/>"}


async def test_a_folder_that_is_not_there_is_a_problem(lab: Lab) -> None:
    lab.git.commit({"README": "x"})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.REJECTED and "--path" in str(outcome.problems[0])


@pytest.mark.parametrize("warm", [True, False])
async def test_a_revision_without_the_folder_is_rejected_whichever_way_it_is_loaded(lab: Lab, warm: bool) -> None:
    lab.git.commit({ALICE: "<a/>", "README": "x"})
    await lab.reconcile()
    lab.git("rm", "-q", "-r", "profiles")
    lab.git.commit({})
    if not warm:
        await lab.loading.close()
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.REJECTED and "--path" in str(outcome.problems[0])
    assert lab.bodies() == {"user/example.com/alice": b"<a/>"}
    assert await lab.loaded_anew(lab.git.head()) != lab.journal.table, "the head alone has nothing to be in force"
    lab.git.commit({BOB: "<b/>"})
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    assert lab.bodies() == {"user/example.com/bob": b"<b/>"}


async def test_a_folder_whose_name_is_no_utf8_is_a_problem_that_names_it(lab: Lab) -> None:
    lab.path = os.fsdecode(b"prof\xe9")
    lab.git.commit({f"{lab.path}/user/example.com/alice.xml": "<a/>"})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.REJECTED and "prof\\xe9 has a name" in str(outcome.problems[0])
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED
    with pytest.raises(PathNotFound, match=r"prof\\xe9"):
        await lab.loading.load(lab.git.head(), None, lab.path)


async def test_files_whose_names_are_no_utf8_are_problems_that_name_them(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>", f"{USERS}/" + os.fsdecode(b"m\xfcller.xml"): "<m/>"})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.REJECTED
    assert re.match(r"user/example\.com/m\\\w+cller\.xml: ", str(outcome.problems[0]))


@pytest.mark.parametrize("template", [ENDLESS])
async def test_a_template_that_never_ends_is_killed_and_the_loop_stays_free(lab: Lab, template: str) -> None:
    lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    loop = asyncio.get_running_loop()
    gaps: list[float] = []

    async def watch() -> None:
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            gaps.append(loop.time() - before)

    async def longest_gap(number: int) -> float:
        gaps.clear()
        manifest = f"template: t.j2\nvalues: {{n: {number}}}\n"
        lab.git.commit({"profiles/templates/t.j2": template, f"{USERS}/x.yaml": manifest})
        watcher = asyncio.ensure_future(watch())
        outcome = await lab.reconcile()
        watcher.cancel()
        assert outcome.verdict is Verdict.REJECTED and "did not finish within 1 seconds" in str(outcome.problems[0])
        assert outcome.problems[0].path in ("user/example.com/x.yaml", "templates/t.j2")
        return max(gaps)

    for number in range(3):  # a machine that stands still does so now and then; a loop that waits, each time
        if await longest_gap(number) < 0.5:
            break
    else:
        pytest.fail("the loop was held")
    lab.git.commit({f"{USERS}/x.yaml": "body: x\n", "profiles/templates/t.j2": "x"})
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_a_template_that_wants_all_memory_is_a_problem(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "work")
    lab.loading = LoaderProcess(tmp_path / "work", memory_bytes=300 << 20)
    lab.git.commit({"profiles/templates/t.j2": BIG, f"{USERS}/x.yaml": "template: t.j2\n"})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.REJECTED and "memory" in str(outcome.problems[0])
    await lab.close()


async def test_every_file_that_never_ends_is_reported(lab: Lab) -> None:
    lab.git.commit({"profiles/templates/t.j2": ENDLESS, **{f"{USERS}/x{i}.yaml": "template: t.j2\n" for i in range(2)}})
    outcome = await lab.reconcile()
    assert [p.path for p in outcome.problems] == ["user/example.com/x0.yaml", "user/example.com/x1.yaml"]
