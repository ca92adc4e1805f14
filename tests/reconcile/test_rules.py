"""What a repository says of file names and decoys reaches the server through the log, with its revision."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitops_profile.presentity import NO_RULES, FileRule, RepositoryRules
from gitops_profile.reconcile import Verdict, compare

from .lab import Lab

PHONE = "profiles/device/example.com/001565aabbcc.cfg"
SETTINGS = "profiles/profiles.yaml"
RULES = RepositoryRules((FileRule("handset-{mac}.ini", ("{mac}",)),), ("0004f2000001",))
TEXT = "files: [{name: 'handset-{mac}.ini', profile: '{mac}'}]\ndecoys: [00-04-F2-00-00-01]\n"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    laboratory = Lab(tmp_path)
    yield laboratory
    await laboratory.close()


async def test_rules_are_in_the_batch_of_their_revision_once_and_nobody_is_notified_for_them(lab: Lab) -> None:
    lab.git.commit({PHONE: "a=1\n", SETTINGS: TEXT})
    await lab.reconcile()
    assert await lab.types() == ["RepositoryRulesChanged", "ProfileAdded", "RevisionApplied"]
    lab.git.commit({PHONE: "a=2\n"})
    await lab.reconcile()
    assert (await lab.types())[3:] == ["ProfileChanged", "RevisionApplied"], "they are the same as before"
    lab.git.commit({SETTINGS: TEXT + "content_types: {.x: a/b}\n"})
    await lab.reconcile()
    assert (await lab.types())[5:] == ["RevisionApplied"], "what else the file says is not theirs"
    assert lab.journal.table.rules == (await lab.replayed()).rules == RULES
    lab.git("rm", "-q", SETTINGS)
    lab.git.commit({})
    await lab.reconcile()
    assert (await lab.types())[6:] == ["RepositoryRulesChanged", "RevisionApplied"]
    assert lab.journal.table.rules == NO_RULES and lab.told[1:] == [["device/example.com/001565aabbcc"], [], []]


async def test_rules_of_a_rejected_revision_are_not_in_force(lab: Lab) -> None:
    lab.git.commit({PHONE: "a=1\n"})
    await lab.reconcile()
    lab.git.commit({SETTINGS: TEXT, "profiles/device/example.com/0004f2000001.cfg": "a=1\n"})
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.REJECTED and "decoy" in str(outcome.problems[0])
    assert lab.journal.table.rules == NO_RULES


async def test_a_log_with_other_rules_than_git_differs_from_it(lab: Lab) -> None:
    lab.git.commit({PHONE: "a=1\n", SETTINGS: TEXT})
    await lab.reconcile()
    loaded = await lab.loading.load(lab.git.head(), None, "profiles")
    assert compare(lab.journal.table, loaded) == []
    lab.journal.table.rules = NO_RULES
    assert [difference.key for difference in compare(lab.journal.table, loaded)] == ["profiles.yaml"]
    assert lab.journal.table != await lab.replayed()


async def test_rules_come_into_force_although_a_folder_is_suspended(lab: Lab) -> None:
    lab.git.commit({PHONE: "a=1\n"})
    await lab.reconcile()
    await lab.suspending.suspend("device/example.com", "ann", "")
    lab.git.commit({PHONE: "a=2\n", SETTINGS: TEXT})
    assert (await lab.reconcile()).held_back == 1
    assert lab.journal.table.rules == RULES
