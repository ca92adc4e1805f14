"""The life of a revision, with a real server, git and a phone: several at once, suspended, killed, resumed."""

import getpass
import json
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.repositories import Git

from .lab import Lab, eventually, file_of, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]
ALICE, BOB = "user/example.com/alice", "user/example.com/bob"


def conditions(lab: Lab) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in lab.ask("status")["conditions"]}


def in_force(lab: Lab, commit: str) -> None:
    eventually(f"{commit} is in force", lambda: lab.ask("status")["applied"]["commit"] == commit)


def bodies(phone: object) -> list[bytes]:
    return [notify.body for notify in phone.notifies()]  # type: ignore[attr-defined]


def test_of_three_commits_pushed_at_once_the_last_is_applied_and_the_others_are_superseded(
    lab: Lab, tmp_path: Path
) -> None:
    lab.write(alice=1)
    lab.git("config", "receive.denyCurrentBranch", "ignore")
    lab.server.start("--http", "127.0.0.1:0")
    phone = lab.phone("watch", "alice", 2)
    phone.has(1)
    clone = Git(tmp_path / "clone")
    clone("pull", "-q", str(lab.git.folder), "main")
    commits = [clone.commit({file_of("alice"): profile("alice", n)}, f"number {n}") for n in (2, 3, 4)]
    clone("push", "-q", str(lab.git.folder), "main")
    assert [notify.body for notify in phone.finish()] == [profile("alice", 1), profile("alice", 4)]
    in_force(lab, commits[-1])
    log = [(event["type"], event["data"].get("revision", {}).get("commit")) for event in lab.events()]
    assert log[2:] == [
        ("RevisionSuperseded", commits[0]), ("RevisionSuperseded", commits[1]),
        ("ProfileChanged", commits[2]), ("RevisionApplied", commits[2]),
    ]  # fmt: skip
    facts = lab.command("status")
    assert facts["superseded"] == {"by": commits[2], "count": 2, "commits": commits[:2]}
    assert facts["lastAppliedRevision"] == facts["lastAttemptedRevision"] == f"main@sha1:{commits[2]}"
    assert conditions(lab) == {name: (s, "Succeeded") for name, s in
                               {"Ready": "True", "Reconciling": "False", "Stalled": "False"}.items()}  # fmt: skip
    assert lab.command("history", ALICE)[0]["commit"] == commits[2]
    text = lab.run("status", "--state", str(lab.server.state)).stdout.decode()
    assert f"superseded 2 by {commits[2][:12]}: {commits[0][:12]} {commits[1][:12]}" in text, text
    with urllib.request.urlopen(facts["http"] + "metrics") as answer:
        counted = answer.read().decode()
    assert 'gitops_profile_revisions_total{verdict="superseded"} 2.0' in counted
    assert "gitops_profile_revision_lag_seconds 0.0" in counted


def test_a_rewritten_history_is_shown_also_when_its_head_is_rejected(lab: Lab) -> None:
    base = lab.write(alice=1)
    old = lab.write(alice=2)
    lab.server.start()
    lab.git("checkout", "-q", "-b", "other", base)
    new = lab.git.commit({"profiles/user/example.com/broken.yaml": "a: ["})
    lab.git("branch", "-q", "-f", "main", "other")
    eventually("it is rejected", lambda: lab.ask("status")["rejected"])
    assert lab.ask("status")["rewritten"] == {"old": old, "new": new}
    done = lab.run("status", "--state", str(lab.server.state))
    assert done.returncode == 1 and f"{new[:12]} came in the place of {old[:12]}".encode() in done.stdout
    assert conditions(lab)["Stalled"] == ("True", "BuildFailed")
    good = lab.git.commit({"profiles/user/example.com/broken.yaml": None})
    lab.git("branch", "-q", "-f", "main", "other")
    in_force(lab, good)
    assert [event["type"] for event in lab.events()].count("HistoryRewritten") == 1
    assert lab.ask("status")["rewritten"] is None, "it was said when it happened; the head has gone on"


def test_suspended_killed_and_resumed_the_phone_is_told_exactly_once(lab: Lab) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    phone = lab.phone("watch", "alice", 3)
    phone.has(1)
    state = ("--state", str(lab.server.state))
    facts = lab.command("suspend", "--reason", "the fair")
    assert (facts["scope"], facts["by"], facts["changed"]) == ("all", getpass.getuser(), True)
    assert lab.command("suspend") == facts | {"changed": False}
    skipped = lab.write(alice=2)
    head = lab.write(alice=3, bob=3)
    eventually("it was seen", lambda: lab.ask("status")["head_seen"] == head)
    done = lab.run("reconcile", *state)
    assert done.returncode == 1 and done.stdout.startswith(f"suspended {head[:12]}".encode())
    lab.server.end(signal.SIGKILL)
    lab.server.start()
    fetch = lab.phone("fetch", "bob").finish()
    assert [notify.body for notify in fetch] == [profile("bob", 1)], "phones are served with what is in force"
    eventually("it was seen again", lambda: lab.ask("status")["head_seen"] == head)
    eventually("it waits", lambda: conditions(lab)["Ready"] == ("False", "Suspended"))
    done = lab.run("status", *state)
    assert done.returncode == 0 and b"all since " in done.stdout and b": the fair" in done.stdout, done.stdout
    assert f"by {getpass.getuser()}".encode() in done.stdout
    assert bodies(phone) == [profile("alice", 1)]
    lab.command("resume")
    assert [notify.body for notify in phone.has(2)] == [profile("alice", 1), profile("alice", 3)]
    in_force(lab, head)
    assert lab.command("status")["suspended"] == []
    last = lab.write(alice=4)
    assert [notify.body for notify in phone.finish()][2:] == [profile("alice", 4)], "nothing in between"
    in_force(lab, last)
    types = [event["type"] for event in lab.events()]
    assert types.count("ApplicationSuspended") == types.count("ApplicationResumed") == 1
    assert [e["data"]["revision"]["commit"] for e in lab.events() if e["type"] == "RevisionSuperseded"] == [skipped]


def test_one_suspended_profile_stays_and_its_phone_is_told_once_when_it_is_resumed(lab: Lab) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    alice, bob = lab.phone("watch", "alice", 2), lab.phone("watch", "bob", 2)
    alice.has(1), bob.has(1)
    state = ("--state", str(lab.server.state))
    assert lab.command("suspend", "sip:alice@example.com")["scope"] == ALICE
    lab.write(alice=2, bob=2)
    assert [notify.body for notify in bob.finish()] == [profile("bob", 1), profile("bob", 2)]
    head = lab.write(alice=3)
    in_force(lab, head)
    facts = lab.command("status")
    assert (facts["held_back"], facts["suspended"][0]["scope"]) == (1, ALICE)
    assert facts["held_back_profiles"] == [ALICE]
    assert conditions(lab)["Ready"] == ("False", "Suspended")
    done = lab.run("log", "verify", *state)
    assert done.returncode == 0 and b"1 profiles are held back" in done.stdout, done
    lab.server.end(signal.SIGKILL)
    lab.server.start()
    assert bodies(alice) == [profile("alice", 1)]
    done = lab.run("resume", ALICE, *state)
    assert done.returncode == 0 and b"1 profiles" in done.stdout, done
    assert [notify.body for notify in alice.finish()] == [profile("alice", 1), profile("alice", 3)]
    assert lab.run("log", "verify", *state).returncode == 0
    at = lab.events()[-1]["position"]
    done = lab.run("render", ALICE, "--from-log", "--at", str(at), *state)
    assert done.stdout == profile("alice", 3), done


def test_a_log_that_is_written_anew_keeps_what_is_suspended(lab: Lab) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    for scope in (ALICE, "all"):
        lab.command("suspend", scope)
    before = lab.ask("status")["suspended"]
    lab.server.end()
    assert lab.run("log", "rebuild", "--state", str(lab.server.state)).returncode == 0
    head = lab.write(alice=2)
    lab.server.start()
    eventually("it was seen", lambda: lab.ask("status")["head_seen"] == head)
    assert lab.ask("status")["suspended"] == before and conditions(lab)["Ready"] == ("False", "Suspended")


def test_what_cannot_be_suspended_or_resumed_is_said_in_one_line(lab: Lab) -> None:
    lab.write(alice=1)
    state = ("--state", str(lab.server.state))
    done = lab.run("suspend", *state)
    assert done.returncode == 2 and b"no server is running" in done.stderr and len(done.stderr.splitlines()) == 1
    lab.server.start()
    for words in (["suspend", "user/example.com/nobody"], ["resume"], ["resume", ALICE]):
        done = lab.run(*words, *state)
        assert done.returncode == 1 and not done.stdout and len(done.stderr.splitlines()) == 1, done
    assert json.loads(lab.run("status", "-o", "json", *state).stdout)["suspended"] == []
