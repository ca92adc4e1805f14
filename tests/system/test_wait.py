"""`wait`: what a workflow is told of its commit, with real phones, and a server that is killed meanwhile."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .lab import Lab, eventually, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]


def wait(lab: Lab, revision: str, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, answer, and what was said on standard error."""
    state = ("--state", str(lab.server.state))
    done = lab.run("wait", "--revision", revision, "-o", "json", *state, *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr.decode()


def deliveries(lab: Lab) -> dict[str, tuple[str, bool]]:
    """By user: what became of what each phone was told last, and whether it has what is in force."""
    rows = lab.ask("subscriptions")
    return {row["key"].rpartition("/")[2]: (row["delivery"], row["current"]) for row in rows}


def test_a_revision_is_waited_for_until_its_phones_have_it(lab: Lab) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    phones = [lab.phone("watch", name, 2) for name in ("alice", "bob")]
    for phone in phones:
        phone.has(1)
    lab.settled(2)
    made = lab.write(alice=2)
    status, answer, _ = wait(lab, made[:8])
    assert status == 0 and answer["revision"] == answer["counted"] == made and answer["verdict"] == "applied"
    counts = {name: answer[name] for name in ("planned", "notified", "acknowledged", "unreachable", "pending", "gone")}
    assert counts == {"planned": 1, "notified": 1, "acknowledged": 1, "unreachable": 0, "pending": 0, "gone": 0}
    assert phones[0].finish()[1].body == profile("alice", 2)
    everything = lab.git.commit({"README": "nothing of profiles"})
    status, answer, _ = wait(lab, "HEAD")  # of the repository around the current folder
    assert (status, answer["planned"], answer["revision"]) == (0, 0, everything)


def test_a_silent_phone_is_counted_across_a_kill_of_the_server(lab: Lab) -> None:
    """Killed between the NOTIFY and its 200: the phone still counts, once, and is waited for by the same command."""
    lab.write(alice=1, bob=1)
    lab.server.start()
    alice, bob = lab.phone("watch", "alice", 3), lab.phone("watch", "bob", 2)
    alice.has(1), bob.has(1)
    lab.settled(2)
    alice.process.send_signal(signal.SIGSTOP)
    made = lab.write(alice=2, bob=2)
    told = {"alice": ("notified", False), "bob": ("acknowledged", True)}
    eventually("bob has it, and alice is told", lambda: deliveries(lab) == told)
    status, answer, said = wait(lab, made, "--timeout", "1s")
    assert status == 1 and (answer["planned"], answer["notified"], answer["acknowledged"]) == (2, 2, 1), answer
    assert [phone["key"] for phone in answer["phones"]["notified"]] == ["user/example.com/alice"]
    assert "planned 2, notified 2" in said
    waiting = lab.start("wait", "--revision", made, "--timeout", "30s", "-o", "json", "--state", str(lab.server.state))
    try:
        assert waiting.stderr is not None and b"planned 2" in waiting.stderr.readline()
        lab.server.end(signal.SIGKILL)
        lab.server.start()
        alice.process.send_signal(signal.SIGCONT)
        out, _ = waiting.communicate(timeout=30)
    finally:
        if waiting.poll() is None:
            waiting.kill()
        waiting.wait()
    answer = json.loads(out)
    assert waiting.returncode == 0 and answer["reached"], answer
    assert (answer["planned"], answer["notified"], answer["acknowledged"]) == (2, 2, 2)
    (row,) = [one for one in lab.command("history", "user/example.com/alice") if one["commit"] == made]
    assert (row["delivery"]["notified"], row["delivery"]["acknowledged"], row["delivery"]["failed"]) == (1, 1, 0)


def test_a_rejected_revision_is_told_at_once_and_one_that_never_comes_in_time(lab: Lab) -> None:
    first = lab.write(alice=1)
    lab.server.start()
    bad = lab.git.commit({"profiles/user/example.com/broken.yaml": "values: ["})
    status, answer, _ = wait(lab, bad, "--timeout", "20s")
    assert status == 1 and answer["verdict"] == "rejected" and "broken.yaml" in answer["reasons"][0]
    good = lab.git.commit({"profiles/user/example.com/broken.yaml": None, "profiles/user/example.com/c.xml": "<c/>"})
    assert wait(lab, good, "--for", "applied")[0] == 0
    status, answer, _ = wait(lab, bad)
    assert (status, answer["verdict"], answer["counted"]) == (0, "superseded", good)
    assert good[:12] in answer["reasons"][0]
    assert wait(lab, first)[1]["verdict"] == "applied"
    status, answer, said = wait(lab, "0123456789", "--timeout", "200ms")
    assert (status, answer["verdict"]) == (1, "unknown") and "no such commit yet" in said


def test_a_phone_that_is_gone_is_named_and_may_be_allowed(lab: Lab) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    alice, bob = lab.phone("watch", "alice", 2), lab.phone("watch", "bob", 2)
    alice.has(1), bob.has(1)
    lab.settled(2)
    alice.close()  # its port is closed: the kernel says so to whoever sends
    made = lab.write(alice=2, bob=2)
    state = ("--state", str(lab.server.state))
    done: subprocess.CompletedProcess[bytes] | None = None

    def unreachable() -> bool:
        nonlocal done
        done = lab.run("wait", "--revision", made, "--timeout", "500ms", "-o", "markdown", *state)
        return b"1 unreachable" in done.stdout

    eventually("the phone counts as unreachable", unreachable)
    assert done is not None and done.returncode == 1
    text = done.stdout.decode()
    assert text.startswith(f"**{made[:12]}**: planned 2, notified 2, acknowledged 1, 1 unreachable"), text
    assert "| user/example.com/alice | sip:alice\\@127.0.0.1:" in text
    assert wait(lab, made, "--allow-unreachable", "1")[0] == 0


def test_a_workflow_elsewhere_waits_over_http_with_a_token(lab: Lab, tmp_path: Path) -> None:
    lab.write(alice=1)
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"http: {{token_file: {token}}}\n")
    lab.server.start("--http", "127.0.0.1:0", "--config", str(settings))
    phone = lab.phone("watch", "alice", 2)
    phone.has(1)
    lab.settled(1)
    made = lab.write(alice=2)
    url = str(lab.ask("status")["http"])
    options = ("--url", url, "--revision", made, "--timeout", "20s", "-o", "markdown")
    done = lab.run("wait", *options, "--token-file", "/dev/stdin", given=token.read_bytes())
    assert done.returncode == 0, done
    assert done.stdout.decode() == f"**{made[:12]}**: planned 1, notified 1, acknowledged 1\n"
    refused = lab.run("wait", *options, "--token-file", "/dev/stdin", given=b"another one that is wrong")
    assert refused.returncode == 1 and b"does not take this token" in refused.stderr
    assert lab.run("wait", *options).returncode == 2
    phone.finish()
