"""A server that is killed: dialogs go on, what is missing is delivered, and nothing else."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gitops_profile.http import AdminError

from .lab import Lab, Message, eventually, file_of, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]
MANY = 3000
"""Subscriptions: more than are taken up before a server is ready."""


def _dialog(notify: Message) -> tuple[str, str, str]:
    return notify.header("Call-ID"), notify.header("From"), notify.header("To")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_exactly_the_missing_notify_is_sent_after_a_restart(lab: Lab, number: signal.Signals) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    alice, bob = lab.phone("unsubscribe", "alice", 2), lab.phone("watch", "bob", 2)
    before, of_bob = alice.has(1)[0], bob.has(1)[0]
    lab.settled(2)
    assert lab.server.end(number) == (0 if number is signal.SIGTERM else -signal.SIGKILL)
    lab.write(alice=2)
    lab.server.start()
    _, after, terminated = alice.finish()
    assert after.body == profile("alice", 2)
    assert _dialog(before) == _dialog(after) == _dialog(terminated)
    assert [n.cseq for n in (after, terminated)] == [before.cseq + 1, before.cseq + 2]
    assert [n.cseq for n in bob.notifies()] == [of_bob.cseq]
    lab.write(bob=2)
    again = bob.finish()
    assert [n.cseq for n in again] == [of_bob.cseq, of_bob.cseq + 1]
    assert again[1].body == profile("bob", 2) and _dialog(again[1]) == _dialog(of_bob)


def test_a_commit_whose_notify_was_not_answered_is_delivered_after_the_kill(lab: Lab) -> None:
    """Killed while the phone is silent: the NOTIFY was sent, but nobody knows whether it arrived."""
    lab.write(alice=1)
    lab.server.start()
    phone = lab.phone("watch", "alice", 3)
    first = phone.has(1)[0]
    lab.settled(1)
    phone.process.send_signal(signal.SIGSTOP)
    lab.write(alice=2)
    eventually("the NOTIFY is out", lambda: lab.ask("subscriptions")[0]["delivery"] == "notified")
    lab.server.end(signal.SIGKILL)
    lab.server.start()
    eventually("it is out again", lambda: lab.ask("subscriptions")[0]["delivery"] == "notified")
    phone.process.send_signal(signal.SIGCONT)
    notifies = phone.finish()
    eventually("the server knows that the phone has it", lambda: lab.ask("subscriptions")[0]["current"])
    assert [n.body for n in notifies] == [profile("alice", version) for version in (1, 2, 2)]
    assert [n.cseq for n in notifies] == [first.cseq, first.cseq + 1, first.cseq + 2]
    assert {_dialog(n) for n in notifies} == {_dialog(first)}


def test_a_deleted_database_loses_no_subscription(lab: Lab) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    alice = lab.phone("watch", "alice", 3)
    first = alice.has(1)[0]
    lab.settled(1)
    for name in ("subscriptions.db", "subscriptions.db-wal", "subscriptions.db-shm"):
        (lab.server.state / name).unlink(missing_ok=True)
    lab.phone("watch", "bob", 1).finish()
    lab.write(alice=2)
    alice.has(2)
    lab.settled(2)
    assert (lab.server.state / "subscriptions.db").exists(), "the database was not written anew"
    lab.server.end(signal.SIGKILL)
    lab.write(alice=3)
    lab.server.start()
    notifies = alice.finish()
    assert [n.body for n in notifies] == [profile("alice", version) for version in (1, 2, 3)]
    assert [n.cseq for n in notifies] == [first.cseq, first.cseq + 1, first.cseq + 2]
    assert [row["key"] for row in lab.ask("subscriptions")] == ["user/example.com/alice", "user/example.com/bob"]


def test_a_refresh_that_comes_while_the_server_starts_is_no_request_of_an_unknown_dialog(lab: Lab) -> None:
    """It waits in the socket, which is open from the first moment on; before the subscriptions are there it was 481."""
    lab.write(alice=1)
    lab.server.start()
    port = lab.server.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(10)
        phone.bind(("127.0.0.1", 0))
        own = phone.getsockname()[1]
        phone.sendto(_subscribe(own, 1), ("127.0.0.1", port))
        accepted = phone.recv(65535)
        assert accepted.startswith(b"SIP/2.0 200 ")
        to = next(line for line in accepted.split(b"\r\n") if line.startswith(b"To: "))
        lab.server.end(signal.SIGKILL)
        lab.server.launch()
        answer = _first_answer(phone, port, _subscribe(own, 2, to))
        lab.server.wait_ready()
    assert answer.startswith(b"SIP/2.0 200 ")


def _first_answer(phone: socket.socket, port: int, request: bytes) -> bytes:
    """To a request that is repeated from before there is anybody on."""
    phone.settimeout(0.05)
    for _ in range(400):
        try:
            phone.sendto(request, ("127.0.0.1", port))
            while (data := phone.recv(65535)).startswith(b"NOTIFY "):
                continue
            return data
        except (TimeoutError, ConnectionRefusedError):
            continue
    raise AssertionError("no answer within 20 s")


def _subscribe(port: int, cseq: int, to: bytes = b"To: <sip:alice@example.com>") -> bytes:
    lines = [
        b"SUBSCRIBE sip:alice@example.com SIP/2.0",
        b"Via: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKearly%d;rport" % (port, cseq),
        b"Max-Forwards: 70",
        b"From: <sip:alice@example.com>;tag=early",
        to,
        b"Call-ID: early@127.0.0.1",
        b"CSeq: %d SUBSCRIBE" % cseq,
        b"Contact: <sip:alice@127.0.0.1:%d>" % port,
        b"Event: ua-profile",
        b"Expires: 600",
    ]
    return b"\r\n".join([*lines, b"Content-Length: 0\r\n\r\n"])


def _multiply(lab: Lab) -> None:
    """Many more subscriptions like that of alice; the server is down."""
    with closing(sqlite3.connect(lab.server.state / "subscriptions.db", isolation_level=None)) as database:
        names = [row[1] for row in database.execute("PRAGMA table_info(subscription)") if row[1] != "number"]
        # Nobody is there to answer their NOTIFYs, which none is owed. Before and behind the two in the order of ids.
        made = {
            "id": "char(33 + value % 90) || value", "call_id": "'c' || value", "local_tag": "'t' || value",
            "remote_target": "'sip:nobody@127.0.0.1:9'", "contact_flow": "'udp|127.0.0.1:5060|127.0.0.1:9'",
        }  # fmt: skip
        columns = ",".join(made.get(name, name) for name in names)
        database.execute(
            "WITH RECURSIVE number(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < ?) "
            f"INSERT INTO subscription ({','.join(names)}) SELECT {columns} FROM subscription, number "
            "WHERE resource = 'user/example.com/alice'",
            (MANY,),
        )


def test_a_server_with_many_subscriptions_is_ready_before_they_are_all_in_memory(lab: Lab) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    alice, bob = lab.phone("watch", "alice", 3), lab.phone("watch", "bob", 2)
    alice.has(1), bob.has(1)
    lab.settled(2)
    lab.server.end(signal.SIGKILL)
    _multiply(lab)
    lab.server.start()
    assert len(lab.ask("subscriptions")) == MANY + 2, "whoever asks for all of them waits for them"
    lab.write(bob=2)
    assert [n.body for n in bob.finish()] == [profile("bob", 1), profile("bob", 2)]
    assert lab.ask("status")["taking_up"] == 0
    lab.server.end(signal.SIGTERM)
    lab.write(alice=2)
    lab.server.start()
    assert alice.has(2)[1].body == profile("alice", 2), "found among the others, and told"


@pytest.mark.parametrize("broken", ["empty ref", "missing commit"])
def test_a_ref_that_cannot_be_read_keeps_nobody_from_being_served(lab: Lab, broken: str) -> None:
    """What a power cut may leave. All subscriptions are taken up, and the server ends when it is told to."""
    head = lab.write(alice=1)
    lab.server.start()
    phone = lab.phone("watch", "alice", 2)
    phone.has(1)
    lab.settled(1)
    lab.server.end(signal.SIGKILL)
    _multiply(lab)
    if broken == "empty ref":
        (lab.git.folder / ".git/refs/heads/main").write_text("")
    else:
        head = lab.write(alice=2)
        (lab.git.folder / ".git/objects" / head[:2] / head[2:]).rename(lab.folder / "away")
    lab.server.start("--config", _settings(lab, subscriptions={"on_stop": "deactivate"}))
    eventually("all are taken up", lambda: lab.ask("status")["taking_up"] == 0)
    source = lab.ask("status")["source"]
    assert lab.ask("status")["ready"] and source["last_fetch_error"] in lab.server.stderr()
    (lab.git.folder / ".git/refs/heads/main").write_text(f"{head}\n")
    if broken == "missing commit":
        (lab.folder / "away").rename(lab.git.folder / ".git/objects" / head[:2] / head[2:])
    else:
        lab.write(alice=2)
    lab.ask("reconcile")
    assert [n.body for n in phone.finish()] == [profile("alice", 1), profile("alice", 2)]
    assert lab.server.end() == 0


def test_a_server_that_serves_nothing_yet_has_nobody_to_send_elsewhere_when_it_stops(lab: Lab) -> None:
    lab.server.launch("--config", _settings(lab, subscriptions={"on_stop": "deactivate"}))
    eventually("it waits", lambda: "waiting for the first commit" in lab.server.stderr())
    assert lab.server.end() == 0


def _settings(lab: Lab, **settings: object) -> str:
    file = lab.folder / "gitops-profile.yaml"
    file.write_text(json.dumps(settings))  # JSON is YAML
    return str(file)


def _breaks(lab: Lab, how: str) -> None:
    """What has git not open a repository."""
    folder = lab.git.folder / ".git"
    match how:
        case "config":
            with (folder / "config").open("a") as config:
                config.write("[core\n")
        case "extension":
            (folder / "config").write_text("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tfoo = bar\n")
        case "HEAD":
            (folder / "HEAD").unlink()
        case "folder":
            lab.git.folder.rename(lab.folder / "away")
        case "no git":
            (lab.folder / "bin").mkdir()
            lab.server.environment["PATH"] = str(lab.folder / "bin")


def _mends(lab: Lab, how: str) -> None:
    if how == "no git":
        (lab.folder / "bin/git").symlink_to(shutil.which("git") or "")
    elif how == "folder":
        (lab.folder / "away").rename(lab.git.folder)
    else:
        (lab.git.folder / ".git/HEAD").write_text("ref: refs/heads/main\n")
        (lab.git.folder / ".git/config").write_text("[core]\n\trepositoryformatversion = 0\n")


@pytest.mark.parametrize(
    ("how", "new"), [("config", True), ("extension", False), ("HEAD", True), ("folder", False), ("no git", False)]
)
def test_a_repository_that_git_does_not_open_is_served_from_the_log_until_it_does(
    lab: Lab, how: str, new: bool
) -> None:
    lab.write(alice=1)
    lab.server.start()
    lab.server.end()
    if new:
        lab.write(alice=2)
    _breaks(lab, how)
    lab.server.start()
    eventually("it says what is wrong", lambda: lab.ask("status")["source"]["last_fetch_error"])
    told = lab.ask("status")["source"]["last_fetch_error"]
    assert f"source unavailable ref=main: {told}" in lab.server.stderr()
    with pytest.raises(AdminError, match=re.escape(told[:40])):
        lab.ask("reconcile")
    assert [row["key"] for row in lab.ask("presentities")] == ["user/example.com/alice"]
    _mends(lab, how)
    head = lab.write(alice=3)
    assert lab.ask("reconcile")["commit"] == head
    assert lab.ask("status")["source"]["last_fetch_error"] is None and lab.server.end() == 0


@pytest.mark.parametrize("how", ["config", "folder", "no git"])
def test_without_a_log_nothing_can_be_served_and_the_server_says_why(lab: Lab, how: str) -> None:
    lab.write(alice=1)
    _breaks(lab, how)
    lab.server.launch()
    assert lab.server.wait() == 2
    line = lab.server.stderr().splitlines()[-1]
    assert line.startswith("gitops-profile: ") and (str(lab.git.folder) in line or "git" in line)


def _hangs(lab: Lab) -> Path:
    """Have git hang for as long as the file that is returned is there."""
    flag, folder = lab.folder / "hangs", lab.folder / "bin"
    flag.touch()
    folder.mkdir()
    (folder / "git").write_text(
        f'#!/bin/sh\nwhile [ -e "{flag}" ]; do sleep 0.1; done\nexec "{shutil.which("git")}" "$@"\n'
    )
    (folder / "git").chmod(0o755)
    lab.server.environment["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return flag


def test_a_git_that_hangs_keeps_no_phone_from_being_served_and_no_server_from_its_end(lab: Lab) -> None:
    lab.write(alice=1)
    lab.server.start()
    lab.server.end()
    head = lab.write(alice=2)
    flag = _hangs(lab)
    try:
        lab.server.start()
        assert [row["key"] for row in lab.ask("presentities")] == ["user/example.com/alice"]
        assert "source unavailable: git said nothing for 5 seconds" in lab.server.stderr()
        assert lab.server.end() == 0
        lab.server.start()
    finally:
        flag.unlink()
    eventually("the new commit is in force", lambda: lab.ask("status")["applied"]["commit"] == head)


def test_a_start_that_waits_for_git_can_be_stopped(lab: Lab) -> None:
    lab.write(alice=1)
    flag = _hangs(lab)
    try:
        lab.server.launch()
        eventually("it waits", lambda: "event log opened" in lab.server.stderr())
        assert lab.server.end() == 0
    finally:
        flag.unlink()
    assert "stopped before it was ready" in lab.server.stderr()


def test_a_server_whose_first_revision_was_bad_goes_on_looking_after_a_restart(lab: Lab) -> None:
    lab.git.commit({"profiles/user/example.com/alice.yaml": "nonsense: 1\n"})
    lab.server.launch()
    eventually("it waits", lambda: "waiting for a good one" in lab.server.stderr())
    assert lab.server.end() == 0
    lab.server.launch()
    eventually("it has begun", lambda: lab.server.stderr().count("event log opened") == 2)
    lab.git.commit({"profiles/user/example.com/alice.yaml": None, file_of("bob"): profile("bob", 1)})
    lab.server.wait_ready()
