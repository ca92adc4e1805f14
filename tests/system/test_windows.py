"""Maintenance windows, from the repository to the phone."""

import json

import pytest

from .lab import Lab, eventually, file_of, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]

SHUT = "notify: {deny: [{cron: '* * * * *', duration: 2m}]}\n"
DEFAULTS = "profiles/user/example.com/defaults.yaml"


def in_force(lab: Lab, commit: str) -> None:
    eventually("the revision is in force", lambda: lab.ask("reconcile")["commit"] == commit)


def test_a_change_waits_for_its_window_over_a_restart_while_whoever_asks_has_it(lab: Lab) -> None:
    lab.git.commit({DEFAULTS: SHUT, file_of("alice"): profile("alice", 1), file_of("bob"): profile("bob", 1)})
    lab.server.start()
    alice, bob = lab.phone("watch", "alice", 2), lab.phone("watch", "bob", 2)
    alice.has(1)
    bob.has(1)
    in_force(lab, lab.write(alice=2, bob=2))
    (asked,) = lab.phone("fetch", "alice").finish()
    assert asked.body == profile("alice", 2)
    lab.server.end()
    lab.server.start()
    (again,) = lab.phone("fetch", "bob").finish()
    assert again.body == profile("bob", 2)
    assert len(alice.notifies()) == len(bob.notifies()) == 1

    # Only what the urgent commit changed goes out; a trailer of a commit that was merged counts.
    lab.git("switch", "-q", "-c", "fix")
    lab.git.commit({file_of("alice"): profile("alice", 3)}, "Fix it\n\nDeliver: now")
    lab.git("switch", "-q", "main")
    lab.git("merge", "-q", "--no-ff", "-m", "Merge the fix", "fix")
    assert alice.finish()[1].body == profile("alice", 3)
    assert len(bob.notifies()) == 1

    # The windows themselves are a commit as well.
    lab.git.commit({DEFAULTS: None})
    assert bob.finish()[1].body == profile("bob", 2)


def test_plan_tells_a_change_of_windows_alone_and_blame_where_they_are_from(lab: Lab) -> None:
    lab.git.commit({"profiles/user/example.com/alice.yaml": "body: x\n"})
    lab.git.commit({DEFAULTS: SHUT})
    done = lab.run("plan", "HEAD~1..HEAD")
    assert done.returncode == 3, done.stderr
    text = done.stdout.decode()
    assert "1 of them no phone sees" in text
    assert "+ notify.deny: * * * * * (UTC) for 2m" in text
    (row,) = json.loads(lab.run("plan", "HEAD~1..HEAD", "-o", "json").stdout)["profiles"]
    assert row["reaches_phones"] is False
    blamed = lab.run("blame", "user/example.com/alice").stdout.decode()
    assert "notify.deny.0.cron" in blamed and "defaults.yaml" in blamed
