"""A server that is killed: dialogs go on, what is missing is delivered, and nothing else."""

import signal

import pytest

from .lab import Lab, Message, eventually, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]


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
