"""The loader process: what ends it from outside is no fault of a commit; what a file does to it is."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gitops_profile.reconcile import LoaderProcess, LoadStalled, Verdict
from gitops_profile.source import SourceUnavailable

from .lab import Lab

USERS = "profiles/user/example.com"
ALICE = f"{USERS}/alice.xml"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
SLOW = "{% for a in range(2500) %}{% for b in range(2500) %}{% endfor %}{% endfor %}x"
"""Some tenths of a second: long enough to be caught at it."""
QUICKER = "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}x"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    laboratory = Lab(tmp_path / "work")
    yield laboratory
    await laboratory.close()


def pid_of(loading: LoaderProcess) -> int:
    assert loading._process is not None
    return loading._process.pid


class AtFile:
    """Does something to the loader process when it comes to the second of three files; once to each process."""

    def __init__(self, loading: LoaderProcess, act: Callable[[int], None], *, times: int) -> None:
        self.loading, self._act, self.left = loading, act, times
        self._last = 0
        self.done = asyncio.Event()

    def __call__(self, done: int, total: int) -> None:
        if self.left and (done, total) == (1, 3) and (pid := pid_of(self.loading)) != self._last:
            self.left, self._last = self.left - 1, pid
            self._act(pid)
            self.done.set()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def write_slow(lab: Lab, second: str = SLOW) -> None:
    """Three files that take a while; `second` is the template of the second one."""
    templates = {"profiles/templates/t.j2": SLOW, "profiles/templates/second.j2": second}
    names = {"slow0": "t.j2", "slow1": "second.j2", "slow2": "t.j2"}
    lab.git.commit({**templates, **{f"{USERS}/{name}.yaml": f"template: {t}\n" for name, t in names.items()}})


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
async def test_a_commit_during_whose_load_the_process_is_killed_is_applied_all_the_same(
    lab: Lab, number: signal.Signals
) -> None:
    write_slow(lab)
    killer = lab.progress = AtFile(lab.loading, lambda pid: os.kill(pid, number), times=1)
    outcome = await lab.reconcile()
    assert killer.left == 0 and (outcome.verdict, outcome.added) == (Verdict.APPLIED, 3), outcome


async def test_one_that_is_killed_again_waits_and_only_after_more_is_it_the_files_fault(lab: Lab) -> None:
    write_slow(lab)
    lab.progress = AtFile(lab.loading, kill, times=2)
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.UNAVAILABLE and "SIGKILL" in outcome.reason, outcome
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_a_file_at_which_it_is_killed_again_and_again_is_at_fault(lab: Lab) -> None:
    lab.loading = LoaderProcess(lab.git.folder, file_seconds=60)
    write_slow(lab, ENDLESS)
    lab.progress = AtFile(lab.loading, kill, times=3)
    first, second, third = [await lab.reconcile() for _ in range(3)]
    verdicts = [first.verdict, second.verdict, third.verdict]
    assert verdicts == [Verdict.UNAVAILABLE, Verdict.REJECTED, Verdict.UNCHANGED]
    (problem,) = second.problems
    assert problem.path == "user/example.com/slow1.yaml" and "SIGKILL" in problem.message


async def test_deaths_during_one_commit_are_not_held_against_another(lab: Lab) -> None:
    write_slow(lab)
    lab.progress = AtFile(lab.loading, kill, times=2)
    assert (await lab.reconcile()).verdict is Verdict.UNAVAILABLE
    lab.git.commit({"README": "another commit, with the same files"})
    lab.progress = AtFile(lab.loading, kill, times=2)
    assert (await lab.reconcile()).verdict is Verdict.UNAVAILABLE
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_one_that_is_killed_while_idle_is_started_again_at_once(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    await lab.reconcile()
    kill(pid_of(lab.loading))
    lab.git.commit({ALICE: "<a2/>"})
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    assert lab.bodies() == {"user/example.com/alice": b"<a2/>"}


async def test_one_that_gets_no_processor_is_waited_for(lab: Lab) -> None:
    """The time for a file is the time that it computes, not the time that the machine has for it."""
    lab.loading = LoaderProcess(lab.git.folder, file_seconds=1)
    write_slow(lab)
    killer = lab.progress = AtFile(lab.loading, stop, times=1)
    reconciling = asyncio.ensure_future(lab.reconcile())
    await killer.done.wait()
    await asyncio.sleep(1.5)
    assert not reconciling.done()
    os.kill(pid_of(lab.loading), signal.SIGCONT)
    assert (await reconciling).verdict is Verdict.APPLIED


async def test_one_that_says_nothing_for_long_is_given_up_and_the_commit_waits(lab: Lab) -> None:
    write_slow(lab)

    def fall_silent(pid: int) -> None:
        lab.loading._silence_seconds = 1  # from here on: its start alone may take that long on a busy machine
        stop(pid)

    lab.progress = AtFile(lab.loading, fall_silent, times=1)
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.UNAVAILABLE and "said nothing" in outcome.reason
    lab.loading._silence_seconds = 60
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_a_file_that_computes_too_long_is_its_own_fault_however_busy_the_machine(lab: Lab) -> None:
    lab.loading = LoaderProcess(lab.git.folder, file_seconds=0.5, silence_seconds=60)
    lab.git.commit({"profiles/templates/t.j2": ENDLESS, f"{USERS}/x.yaml": "template: t.j2\n", ALICE: "<a/>"})
    began = time.monotonic()
    outcome = await lab.reconcile()
    (problem,) = outcome.problems
    assert (problem.path, problem.message) == (
        "user/example.com/x.yaml", "did not finish within 0.5 seconds of computing",
    )  # fmt: skip
    assert time.monotonic() - began < 30


async def test_a_file_that_is_reached_after_a_long_load_has_its_whole_time(lab: Lab) -> None:
    """The time is counted for each file, not for the process."""
    lab.loading = LoaderProcess(lab.git.folder, file_seconds=1)
    many = {f"{USERS}/quick{n}.yaml": "template: t.j2\n" for n in range(60)}
    lab.git.commit({"profiles/templates/t.j2": QUICKER, **many})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.APPLIED, outcome
    used = time.clock_gettime((~pid_of(lab.loading) << 3) | 2)  # the CPU clock of another process, as Linux counts them
    assert used > 1, "these files took too little to show anything"


async def test_after_a_restart_a_warm_loader_looks_at_the_change_only(lab: Lab) -> None:
    lab.git.commit({f"{USERS}/u{n}.xml": f"<u>{n}</u>" for n in range(20)})
    await lab.reconcile()
    await lab.loading.close()
    lab.loading = LoaderProcess(lab.git.folder)
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED
    await lab.warm_up()
    pid = pid_of(lab.loading)
    seen: list[int] = []
    lab.progress = lambda done, total: seen.append(total)
    await lab.warm_up()
    lab.git.commit({ALICE: "<a/>"})
    outcome = await lab.reconcile()
    assert (outcome.verdict, outcome.added, max(seen)) == (Verdict.APPLIED, 1, 1) and pid_of(lab.loading) == pid
    assert lab.journal.table == await lab.loaded_anew(lab.git.head())


async def test_what_was_not_made_to_get_warm_is_made_when_a_change_concerns_it(lab: Lab) -> None:
    """Nothing is rendered, and no plain document read, to know what the next change builds on."""
    lab.git.commit({
        "profiles/templates/t.j2": "{{ name }} is {{ colour }}", f"{USERS}/defaults.yaml": "values: {colour: red}\n",
        f"{USERS}/m.yaml": "template: t.j2\naliases: [other@example.com]\n", f"{USERS}/n.yaml": "template: t.j2\n",
        ALICE: "<a/>", f"{USERS}/b.xml": "<b/>",
    })  # fmt: skip
    await lab.reconcile()
    await lab.restart()
    await lab.warm_up()
    lab.git.commit({"profiles/templates/t.j2": "{{ name }}: {{ colour }}"})
    assert (await lab.reconcile()).changed == 2 and lab.bodies()["user/example.com/m"] == b"m: red"
    await lab.restart()
    await lab.warm_up()
    lab.git.commit({f"{USERS}/defaults.yaml": "values: {colour: blue}\nnotify: {reboot: allow}\n"})
    assert (await lab.reconcile()).changed == 4 and lab.bodies()["user/example.com/b"] == b"<b/>"
    assert lab.journal.table == await lab.loaded_anew(lab.git.head())
    await lab.restart()
    await lab.warm_up()
    lab.git.commit({f"{USERS}/other.xml": "<o/>"})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.REJECTED and "is also an alias in" in str(outcome.problems[0])


async def test_a_change_of_many_documents_is_the_same_as_loading_them_all(lab: Lab) -> None:
    """So many that git reads ahead; with a template among them, and a file that is too large."""
    lab.git.commit({f"{USERS}/u{n}.xml": f"<u>{n}</u>" for n in range(1200)})
    await lab.reconcile()
    changed = {f"{USERS}/u{n}.xml": f"<u>{n} again</u>" for n in range(100, 1200)}
    lab.git.commit({**changed, f"{USERS}/README.md/.hidden": "x", "profiles/ignored.txt": "x"})
    assert (await lab.reconcile()).changed == 1100
    assert lab.journal.table == await lab.loaded_anew(lab.git.head())
    lab.git.commit({
        **{f"{USERS}/u{n}.xml": f"<u>{n} once more</u>" for n in range(50, 1200)},
        "profiles/templates/t.j2": "x", f"{USERS}/m.yaml": "template: t.j2\n",
    })  # fmt: skip
    outcome = await lab.reconcile()
    assert (outcome.added, outcome.changed) == (1, 1150)
    assert lab.journal.table == await lab.loaded_anew(lab.git.head())
    lab.git.commit({**{f"{USERS}/u{n}.xml": "<u/>" for n in range(1100)}, ALICE: "x" * ((1 << 20) + 1)})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.REJECTED and "at most 1048576" in str(outcome.problems)


async def test_a_loader_that_a_file_ended_is_warm_again_before_the_next_commit(lab: Lab) -> None:
    lab.loading = LoaderProcess(lab.git.folder, file_seconds=0.5)
    lab.git.commit({f"{USERS}/u{n}.xml": f"<u>{n}</u>" for n in range(20)})
    await lab.reconcile()
    lab.git.commit({"profiles/templates/t.j2": ENDLESS, f"{USERS}/x.yaml": "template: t.j2\n"})
    assert (await lab.reconcile()).verdict is Verdict.REJECTED
    await lab.warm_up()
    seen: list[int] = []
    lab.progress = lambda done, total: seen.append(total)
    lab.git.commit({"profiles/templates/t.j2": "x"})
    assert (await lab.reconcile()).verdict is Verdict.APPLIED and max(seen) == 2
    assert lab.journal.table == await lab.loaded_anew(lab.git.head())


async def test_a_base_that_cannot_be_loaded_any_more_only_makes_it_slower(lab: Lab) -> None:
    await lab.warm_up()  # nothing is in force yet
    first = lab.git.commit({ALICE: "<a/>"})
    lab.git.commit({ALICE: "<a2/>"})
    await lab.reconcile()
    await lab.loading.close()
    lab.git("reset", "-q", "--hard", first)
    lab.git("reflog", "expire", "--expire=now", "--all")
    lab.git("gc", "-q", "--prune=now")
    await lab.warm_up()
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_too_many_files_that_never_end_end_the_load(lab: Lab) -> None:
    lab.loading = LoaderProcess(lab.git.folder, file_seconds=0.1)
    many = {f"{USERS}/x{n}.yaml": "template: t.j2\n" for n in range(9)}
    lab.git.commit({"profiles/templates/t.j2": ENDLESS, **many})
    with pytest.raises(LoadStalled):
        await lab.loading.load(lab.git.head(), None, "profiles")


async def test_a_commit_that_is_not_there_means_wait(lab: Lab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    with pytest.raises(SourceUnavailable):
        await lab.loading.load("1" * 40, None, "profiles")
