"""A change that is held: nobody is told of it, whoever asks has it, and it goes out once it may (RFC 6665 §4.2.2)."""

from gitops_profile.sip import NotifierSettings
from gitops_profile.sip.syntax import Request

from .harness import FakePackage, Lab, Phone, parsed, statuses


def release(lab: Lab, *resources: str) -> list[Request]:
    """Their windows open; what is told at once."""
    lab.held.difference_update(resources)
    before = len(lab.sent)
    lab.notifier.state_changed(resources, now=lab.now)
    lab.pump()
    return [message for message in map(parsed, lab.since(before)) if isinstance(message, Request)]


def subscribed() -> tuple[Lab, Phone]:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    lab.held.add("alice")
    return lab, phone


def test_a_held_change_is_told_to_nobody_until_it_may_go_out() -> None:
    lab, phone = subscribed()
    assert lab.change("alice", b"<b/>") == []
    lab.run_until(lab.now + 300)
    assert len(phone.notifies) == 1
    [notify] = release(lab, "alice")
    assert notify.body == b"<b/>"


def test_a_change_that_was_undone_meanwhile_is_no_change() -> None:
    lab, _ = subscribed()
    lab.change("alice", b"<b/>")
    lab.change("alice", b"<a/>")
    assert release(lab, "alice") == []


def test_of_many_held_changes_the_newest_is_told_once() -> None:
    lab, _ = subscribed()
    for number in range(5):
        lab.change("alice", b"<%d/>" % number)
    assert [notify.body for notify in release(lab, "alice")] == [b"<4/>"]


def test_a_phone_that_asks_has_the_newest_at_once() -> None:
    lab, phone = subscribed()
    lab.change("alice", b"<b/>")
    phone.subscribe()
    assert phone.notifies[-1].body == b"<b/>"
    newcomer = Phone(lab, call_id="call-2")
    newcomer.subscribe()
    assert newcomer.notifies[-1].body == b"<b/>"
    assert release(lab, "alice") == []


def test_a_restart_tells_a_held_change_to_nobody() -> None:
    lab, _ = subscribed()
    lab.change("alice", b"<b/>")
    before = len(lab.sent)
    lab.restart()
    lab.run_until(lab.now + 300)
    assert len(lab.sent) == before
    [notify] = release(lab, "alice")
    assert notify.body == b"<b/>"


def test_what_a_phone_asked_for_and_did_not_get_is_sent_again_while_it_is_held() -> None:
    lab = Lab()
    lab.held.add("alice")
    phone = Phone(lab)
    phone.subscribe(answer=500)
    before = len(lab.sent)
    lab.run_until(lab.now + 2.1)
    assert [parsed(data).body for data in lab.since(before)] == [b"<a/>"]


def test_a_notify_that_left_in_time_is_sent_again_behind_the_window_but_no_newer_change_is() -> None:
    lab, phone = subscribed()
    lab.held.clear()
    phone.take(lab.change("alice", b"<b/>"), 500)
    lab.held.add("alice")
    before = len(lab.sent)
    lab.run_until(lab.now + 2.1)
    assert [parsed(data).body for data in lab.since(before)] == [b"<b/>"]
    phone.take(lab.since(before), 500)
    assert lab.change("alice", b"<c/>") == []
    before = len(lab.sent)
    lab.run_until(lab.now + 300)
    assert lab.since(before) == []


def test_a_change_behind_a_notify_that_is_unanswered_is_held_too() -> None:
    lab, phone = subscribed()
    lab.held.clear()
    sent = lab.change("alice", b"<b/>")
    lab.held.add("alice")
    lab.change("alice", b"<c/>")
    assert statuses(phone.take(sent)) == ["NOTIFY"]
    assert [notify.body for notify in release(lab, "alice")] == [b"<c/>"]


def test_that_a_document_is_gone_is_told_whatever_is_held() -> None:
    lab, phone = subscribed()
    lab.held.clear()  # a document that is gone has no policy
    assert statuses(phone.take(lab.change("alice", None))) == ["NOTIFY"]


def test_what_is_held_takes_no_turn_of_what_is_not() -> None:
    """Else a change of a large folder would hold up the others' NOTIFYs by its number over the rate."""
    package = FakePackage({f"held{n}": b"<a/>" for n in range(50)} | {"alice": b"<a/>"})
    lab = Lab(NotifierSettings(notify_rate=10), package)
    phones = [Phone(lab, user, call_id=user) for user in package.documents]
    for phone in phones:
        phone.subscribe()
    lab.held.update(user for user in package.documents if user != "alice")
    lab.now += 10
    for user in package.documents:
        package.documents[user] = b"<b/>"
    before = len(lab.sent)
    lab.notifier.state_changed(list(package.documents), now=lab.now)
    lab.pump()
    assert [parsed(data).body for data in lab.since(before)] == [b"<b/>"]
