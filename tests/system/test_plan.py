"""`plan --server` against a running server with real subscribers."""

import json

import pytest

from .lab import Lab, file_of, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]


def test_the_plan_says_how_many_phones_would_be_notified_and_they_are(lab: Lab) -> None:
    lab.write(alice=1, bob=1, carol=1)
    lab.server.start()
    alice, bob, other = (lab.phone("watch", name, 2) for name in ("alice", "bob", "bob"))
    for phone in (alice, bob, other):
        phone.has(1)
    lab.git("checkout", "-q", "-b", "change")
    lab.git.commit({file_of("bob"): profile("bob", 2), file_of("carol"): profile("carol", 2)})
    state = ("--state", str(lab.server.state))
    done = lab.run("plan", "main..change", "--server", *state)
    assert done.returncode == 3, done
    assert b"; 2 phones are subscribed to them now, 2 would be sent a NOTIFY\n" in done.stdout, done.stdout.decode()
    assert b"user/example.com/bob line 1 (2 subscribed, 2 NOTIFYed)" in done.stdout
    assert b"user/example.com/carol line 1 (0 subscribed, 0 NOTIFYed)" in done.stdout
    data = json.loads(lab.run("plan", "main..change", "--server", "-o", "json", *state).stdout)
    assert (data["summary"]["subscribed"], data["summary"]["notified"]) == (2, 2)
    assert [(row["key"], row["notified"]) for row in data["profiles"]] == [
        ("user/example.com/bob", 2),
        ("user/example.com/carol", 0),
    ]
    lab.git("branch", "-f", "main", "change")
    for phone in (bob, other):
        assert phone.has(2)[1].body == profile("bob", 2)
    assert len(alice.notifies()) == 1


def test_without_a_server_that_is_said_in_one_line(lab: Lab) -> None:
    lab.write(alice=1)
    lab.write(alice=2)
    done = lab.run("plan", "HEAD~1..HEAD", "--server", "--state", str(lab.folder / "none"))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and done.stdout == b""
