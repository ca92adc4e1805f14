"""Maintenance windows, from the repository to the phone."""

import json
import re
import socket
from typing import Any

import pytest

from tests.repositories import Git

from .lab import Lab, eventually, file_of, profile
from .test_content import curl

pytestmark = [pytest.mark.system, pytest.mark.peer]

SHUT = "notify: {deny: [{cron: '* * * * *', duration: 2m}]}\n"
DEFAULTS = "profiles/user/example.com/defaults.yaml"
WHY = "in the deny window * * * * * (UTC) for 2m"
MAC = "000413aabbcc"
AGENT = f"Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 {MAC.upper()} SXM:0 UXM:0)"


def in_force(lab: Lab, commit: str) -> None:
    eventually("the revision is in force", lambda: lab.ask("reconcile")["commit"] == commit)


def test_a_change_waits_for_its_window_over_a_restart_while_whoever_asks_has_it(lab: Lab) -> None:
    lab.git.commit({DEFAULTS: SHUT, file_of("alice"): profile("alice", 1), file_of("bob"): profile("bob", 1)})
    lab.server.start()
    alice, bob = lab.phone("watch", "alice", 2), lab.phone("watch", "bob", 2)
    alice.has(1)
    bob.has(1)
    commit = lab.write(alice=2, bob=2)
    in_force(lab, commit)
    waited = lab.run("wait", "--revision", commit, "--timeout", "0s", "--state", str(lab.server.state))
    assert waited.returncode == 1
    assert waited.stdout.count(f"held until its windows change: {WHY}".encode()) == 2
    (asked,) = lab.phone("fetch", "alice").finish()
    assert asked.body == profile("alice", 2)
    lab.server.end()
    lab.server.start()
    (again,) = lab.phone("fetch", "bob").finish()
    assert again.body == profile("bob", 2)
    assert len(alice.notifies()) == len(bob.notifies()) == 1
    rows = lab.command("get", "subscriptions")
    assert [(row["rung"], row["reason"], row["until"], row["current"]) for row in rows] == [
        ("held", WHY, None, False)
    ] * 2
    assert lab.command("status")["ladder"]["held"] == 2

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
    lab.git.commit({"profiles/user/example.com/alice.yaml": "body: y\n"})
    told = lab.run("plan", "HEAD~1..HEAD").stdout.decode()
    assert "what changes of 1 of the profiles is told when their maintenance windows are open" in told
    lab.git.commit({"profiles/user/example.com/alice.yaml": "body: z\n"}, "z\n\nDeliver: now")
    told = lab.run("plan", "HEAD~2..HEAD").stdout.decode()
    assert "a commit says `Deliver: now`: 1 of the profiles do not wait" in told
    blamed = lab.run("blame", "user/example.com/alice").stdout.decode()
    assert "notify.deny.0.cron" in blamed and "defaults.yaml" in blamed


def answered(phone: socket.socket) -> str:
    """Take one request in and answer it with 200; its Event."""
    data, server = phone.recvfrom(65535)
    lines = data.decode().split("\r\n")
    copied = [line for line in lines if re.match("(?i)(via|from|to|call-id|cseq):", line)]
    phone.sendto("\r\n".join(["SIP/2.0 200 OK", *copied, "Content-Length: 0", "", ""]).encode(), server)
    return next(line.partition(": ")[2] for line in lines if line.startswith("Event:"))


def test_a_phone_without_a_subscription_is_told_when_its_windows_open_also_behind_a_restart(lab: Lab) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(20)
        notify = f"notify: {{aor: 'sip:2001@127.0.0.1:{phone.getsockname()[1]}'}}\n"
        folder, file = "profiles/device/defaults.yaml", f"profiles/device/example.com/{MAC}.yaml"
        lab.git.commit({folder: SHUT, file: f"body: '1'\n{notify}"})
        lab.server.environment = {
            "GITOPS_PROFILE_HTTP__PUBLIC_URL": "http://127.0.0.1/",
            "GITOPS_PROFILE_PUSH__SETTLE": "0.1s",
            "GITOPS_PROFILE_PUSH__SPREAD": "0s",
        }
        lab.server.start("--http", "127.0.0.1:0")

        def device() -> dict[str, Any]:
            (row,) = lab.ask("devices")
            found: dict[str, Any] = row
            return found

        def fetch() -> bytes:
            url = f"{lab.ask('status')['http']}p/example.com/{MAC.upper()}.xml"
            status, _, body = curl(url, "-A", AGENT)
            assert status == 200
            return body

        assert fetch() == b"1"
        eventually("it has been fetched", lambda: device()["rung"] == "fetched")
        in_force(lab, lab.git.commit({file: f"body: '2'\n{notify}"}))
        assert (device()["rung"], device()["reason"]) == ("held", WHY)
        lab.server.end()
        lab.server.start("--http", "127.0.0.1:0")
        assert device()["rung"] == "held"
        phone.settimeout(1)
        with pytest.raises(TimeoutError):
            phone.recv(65535)
        phone.settimeout(20)
        lab.git.commit({folder: None})
        assert answered(phone) == "check-sync;reboot=false"
        eventually("it has heard", lambda: device()["rung"] == "acknowledged")
        assert fetch() == b"2"
        eventually("it has been fetched", lambda: device()["rung"] == "fetched")


def test_an_urgent_commit_on_an_old_branch_is_seen_in_a_clone_that_began_shallow(lab: Lab) -> None:
    bare = Git(lab.folder / "profiles.git", bare=True)
    lab.git("remote", "add", "origin", str(bare.folder))
    lab.git.commit({DEFAULTS: SHUT, file_of("alice"): profile("alice", 1), file_of("bob"): profile("bob", 1)})
    lab.git("branch", "fix")
    for number in range(5):
        lab.write(bob=10 + number)
    lab.git("push", "-q", "origin", "main")
    lab.server.repository = f"file://{bare.folder}"  # type: ignore[assignment]  # `serve --repo URL`
    lab.server.start()
    alice = lab.phone("watch", "alice", 2)
    alice.has(1)
    lab.git("switch", "-q", "fix")
    lab.git.commit({file_of("alice"): profile("alice", 2)}, "Fix it\n\nDeliver: now")
    lab.git("switch", "-q", "main")
    lab.git("merge", "-q", "--no-ff", "-m", "Merge the fix", "fix")
    lab.git("push", "-q", "origin", "main")
    assert lab.run("reconcile", "--state", str(lab.server.state)).returncode == 0
    assert alice.finish()[1].body == profile("alice", 2), lab.server.stderr()
