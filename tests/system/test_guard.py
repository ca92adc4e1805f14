"""A revision that looks like a mistake, with a real server, git and phones: held, killed, approved."""

import getpass
import signal

import pytest

from .lab import Lab, eventually, file_of, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]


@pytest.fixture
def served(lab: Lab) -> Lab:
    """A server with 32 profiles."""
    lab.write(alice=1, bob=1, **{f"u{n}": 1 for n in range(30)})
    lab.server.start()
    return lab


def mistake(lab: Lab) -> str:
    """A commit that changes alice and removes bob and 24 others."""
    gone: dict[str, str | bytes | None] = {file_of(name): None for name in ("bob", *(f"u{n}" for n in range(24)))}
    return lab.git.commit(gone | {file_of("alice"): profile("alice", 2)})


def test_a_held_revision_waits_through_a_kill_and_is_told_once_when_it_is_approved(served: Lab) -> None:
    lab = served
    alice, bob = lab.phone("watch", "alice", 2), lab.phone("watch", "bob", 2)
    alice.has(1), bob.has(1)
    commit = mistake(lab)
    state = ("--state", str(lab.server.state))
    outcome = lab.command("reconcile")
    assert outcome["verdict"] == "held" and "would remove 25 of 32" in outcome["problems"][0], outcome
    done = lab.run("wait", "--revision", commit[:10], "--for", "applied", "--timeout", "20s", *state)
    assert done.returncode == 1 and b"held" in done.stdout + done.stderr, done
    lab.server.end(signal.SIGKILL)
    lab.server.start()
    eventually("it was looked at again", lambda: lab.ask("status")["head_seen"] == commit)
    done = lab.run("status", *state)
    assert done.returncode == 1 and f"gitops-profile approve {commit[:12]}".encode() in done.stdout, done.stdout
    assert len(alice.notifies()) == len(bob.notifies()) == 1, "nobody is told before"
    for wrong in ("0" * 40, commit[:6]):
        done = lab.run("approve", wrong, *state)
        assert done.returncode == 1 and commit.encode() in done.stderr, done
    facts = lab.command("approve", commit[:12])
    assert (facts["verdict"], facts["removed"], facts["by"]) == ("applied", 25, getpass.getuser()), facts
    assert [notify.body for notify in alice.finish()] == [profile("alice", 1), profile("alice", 2)]
    assert [notify.body for notify in bob.finish()] == [profile("bob", 1), b""]
    done = lab.run("approve", commit[:12], *state)
    assert done.returncode == 1 and b"no revision waits" in done.stderr, done
    text = lab.run("events", *state).stdout.decode()
    assert f"RevisionApproved ref:main {commit[:12]} by {getpass.getuser()}\n" in text, text
    types = [event["type"] for event in lab.events()]
    assert types.count("RevisionHeld") == types.count("RevisionApproved") == 1
    assert lab.run("status", *state).returncode == lab.run("log", "verify", *state).returncode == 0


def test_the_revert_of_a_held_revision_goes_past_it_and_nobody_is_told(served: Lab) -> None:
    phone = served.phone("watch", "bob", 2)
    phone.has(1)
    commit = mistake(served)
    eventually("it is held", lambda: (served.ask("status")["held"] or {}).get("commit") == commit)
    served.revert()
    assert served.command("reconcile")["verdict"] == "applied" and served.ask("status")["held"] is None
    served.write(bob=3)
    assert [notify.body for notify in phone.finish()] == [profile("bob", 1), profile("bob", 3)]
