"""What an operator ends: draining (RFC 6665 §4.4.2) and authorisation that is withdrawn (§4.1.3)."""

import pytest

from gitops_profile.sip import Flow, Notifier, NotifierSettings, SubscriptionEnded, Target
from gitops_profile.sip.syntax import Request

from .harness import TCP, UDP, FakeAccess, FakePackage, Lab, Phone, parsed, statuses


def drained(lab: Lab, reason: str = "deactivated") -> list[bytes]:
    before = len(lab.sent)
    lab.notifier.drain(reason, now=lab.now)
    lab.pump()
    return lab.since(before)


def state_of(data: bytes) -> str | None:
    notify = parsed(data)
    assert isinstance(notify, Request)
    return notify.headers.get("subscription-state")


@pytest.mark.parametrize("reason", ["deactivated", "probation;retry-after=60"])
def test_draining_ends_every_subscription_once_and_they_come_back_elsewhere(reason: str) -> None:
    """Checklist rows 14, 61: RFC 6665 §4.4.2; no `expires` in a terminated state (§4.1.3)."""
    here, elsewhere = Lab(), Lab()
    phones = [Phone(here, call_id=f"c{number}") for number in range(20)]
    for phone in phones:
        phone.subscribe()
    told = drained(here, reason)
    assert len(told) == 20 and {state_of(data) for data in told} == {f"terminated;reason={reason}"}
    for phone, data in zip(phones, told, strict=True):
        phone.take([data])
        assert statuses(phone.subscribe()) == [481]
        phone.lab, phone.to_tag = elsewhere, None
        assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert not here.rows and here.notifier.is_quiet and drained(here) == []
    here.run_until(here.now + 1000)
    assert len(elsewhere.rows) == 20 and here.change("alice", b"<b/>") == []


def test_draining_keeps_the_pace() -> None:
    lab = Lab(NotifierSettings(notify_in_flight=2))
    phones = [Phone(lab, call_id=f"c{number}") for number in range(5)]
    for phone in phones:
        phone.subscribe()
    told = drained(lab)
    assert len(told) == 2 and not lab.notifier.is_quiet
    phones[0].take(told)
    assert lab.notifier.is_quiet
    assert sum(b"deactivated" in data for _, data, _ in lab.sent) == 5


def test_a_phone_whose_notify_is_unanswered_is_told_after_its_answer() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    waiting = lab.change("alice", b"<b/>")
    assert drained(lab) == []
    phone.take(waiting)
    assert [notify.headers.get("subscription-state") for notify in phone.notifies[1:]] == [
        "active;expires=600", "terminated;reason=deactivated",
    ]  # fmt: skip
    assert [notify.cseq for notify in phone.notifies] == [1, 2, 3] and lab.notifier.is_quiet


@pytest.mark.parametrize("status", [481, 408, 404])
def test_a_phone_that_knows_nothing_of_its_subscription_is_not_told_that_it_ends(status: int) -> None:
    """RFC 6665 §4.2.2: and no further NOTIFY."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    waiting = lab.change("alice", b"<b/>")
    drained(lab)
    assert statuses(phone.take(waiting, status)) == ["NOTIFY"] and lab.notifier.is_quiet


def test_a_silent_phone_is_given_up_with_its_unanswered_notify() -> None:
    lab = Lab()
    Phone(lab).subscribe()
    lab.change("alice", b"<b/>")
    drained(lab)
    lab.run_until(lab.now + 100)
    assert lab.notifier.is_quiet and not any(b"deactivated" in data for _, data, _ in lab.sent)


def test_a_flow_that_fails_over_while_draining_says_it_once() -> None:
    """RFC 3263 §4.3: the second try carries the newest state, so that no third one is owed."""
    lab = Lab()
    phone = Phone(lab)
    phone.contact = "<sip:alice@192.0.2.9:5062;transport=tcp>"
    notify = phone.subscribe(answer=None)[1]
    assert isinstance(notify, Request)
    drained(lab)
    told = phone.take(lab.fail(lab.sent[-1][1], lab.sent[-1][2]))
    assert statuses(told) == ["NOTIFY"] and phone.notifies[-1].cseq == 1
    assert phone.notifies[-1].headers.get("subscription-state") == "terminated;reason=deactivated"
    assert lab.notifier.is_quiet


@pytest.mark.parametrize("status", [200, 481, 500, 401])
def test_whatever_answers_the_last_notify_it_is_the_last(status: int) -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    assert statuses(phone.take(drained(lab), status)) == ["NOTIFY"]
    lab.run_until(lab.now + 1000)
    assert lab.notifier.is_quiet and len(lab.sent) == 3


def test_a_subscription_that_waits_for_a_name_is_told_when_it_is_known() -> None:
    lab = Lab(access=FakeAccess(proxies={"192.0.2.9"}))
    phone = Phone(lab)
    phone.contact = "<sip:alice@phone.example.net>"
    assert statuses(phone.subscribe()) == [200]
    [hop] = lab.notifier.lookups()
    assert drained(lab) == [] and lab.notifier.lookups() == []
    before = len(lab.sent)
    lab.notifier.looked_up(hop, [Target("udp", "198.51.100.4", 5060)], now=lab.now)
    lab.pump()
    [told] = lab.since(before)
    assert state_of(told) == "terminated;reason=deactivated" and lab.sent[-1][2].remote == ("198.51.100.4", 5060)
    lab.receive(phone.answer(parsed(told)))  # type: ignore[arg-type]
    assert lab.notifier.is_quiet


def test_a_document_that_goes_while_its_phone_waits_for_a_name_is_told() -> None:
    """Checklist row 62: RFC 6665 §4.1.3."""
    lab = Lab(NotifierSettings(end_removed=True), access=FakeAccess(proxies={"192.0.2.9"}))
    phone = Phone(lab)
    phone.contact = "<sip:alice@phone.example.net>"
    phone.subscribe()
    [hop] = lab.notifier.lookups()
    lab.notifier.looked_up(hop, [Target("udp", "198.51.100.4", 5060)], now=lab.now)
    lab.pump()
    phone.take([lab.sent[-1][1]])
    lab.now += 60  # the answer is too old
    assert lab.change("alice", None) == []
    [hop] = lab.notifier.lookups()
    lab.notifier.looked_up(hop, [Target("udp", "198.51.100.4", 5060)], now=lab.now)
    lab.pump()
    assert state_of(lab.sent[-1][1]) == "terminated;reason=noresource" and not lab.rows


def test_what_was_drained_is_not_there_after_a_restart() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    drained(lab)
    before = len(lab.sent)
    lab.restart()
    assert len(lab.sent) == before and len(lab.notifier) == 0
    assert statuses(phone.subscribe()) == [481]
    assert [type(fact) for fact in lab.happened].count(SubscriptionEnded) == 1


def household() -> tuple[Lab, FakeAccess]:
    access = FakeAccess()
    return Lab(package=FakePackage({"alice": b"<secret/>", "bob": b"<b/>"}), access=access), access


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_who_may_no_more_is_rejected_and_shown_nothing(flow: Flow) -> None:
    """Checklist row 41: RFC 6665 §4.1.3 `rejected`; RFC 6080 §9: and not one byte more of what is not his."""
    lab, access = household()
    alice, bob = Phone(lab, flow=flow), Phone(lab, "bob", flow, "call-2")
    alice.subscribe(X_Identity="alice")
    bob.subscribe(X_Identity="bob")
    access.forbidden.add(("alice", "alice"))
    before = len(lab.sent)
    lab.notifier.reauthorize(now=lab.now)
    lab.pump()
    [told] = lab.since(before)
    assert state_of(told) == "terminated;reason=rejected"
    notify = parsed(told)
    assert notify.body == b"" and notify.headers.get("content-type") is None
    assert notify.headers.get("sip-etag") != alice.notifies[0].headers.get("sip-etag")  # nor a digest of it
    assert [row.resource for row in lab.rows.values()] == ["bob"]
    alice.take([told])
    assert statuses(alice.subscribe(X_Identity="alice")) == [481]
    assert statuses(bob.subscribe(X_Identity="bob")) == [200, "NOTIFY"]
    lab.notifier.reauthorize(now=lab.now)
    lab.pump()
    assert len(lab.rows) == 1


def test_a_refresh_by_another_or_by_one_who_may_no_more_changes_nothing() -> None:
    """Checklist row 41: 403 and the subscription stays as it was (RFC 3261 §8.2, RFC 6665 §4.2.1.3)."""
    lab, access = household()
    phone = Phone(lab)
    phone.subscribe(X_Identity="alice")
    assert statuses(phone.subscribe(3000, X_Identity="bob")) == [403]
    assert statuses(phone.subscribe(0)) == [403]
    access.forbidden.add(("alice", "alice"))
    assert statuses(phone.subscribe(3000, X_Identity="alice")) == [403]
    access.forbidden.clear()
    [row] = lab.rows.values()
    assert row.expires_at == 1600
    phone.take(lab.change("alice", b"<c/>"))
    assert phone.notifies[-1].body == b"<c/>"


def test_unknown_and_forbidden_look_the_same() -> None:
    """Checklist rows 41, 43: invariant I10: the answers are the same to the byte."""
    access = FakeAccess(forbidden={("mallory", "bob")})
    answers = []
    for documents in ({"bob": b"<b/>"}, {"alice": b"<a/>"}):
        phone = Phone(Lab(package=FakePackage(documents), access=access), "bob")
        answers.append(phone.lab.receive(phone.build(X_Identity="mallory")))
    assert answers[0] == answers[1] and answers[0][0].startswith(b"SIP/2.0 403 ")


def test_a_notifier_without_access_control_permits_everything() -> None:
    lab = Lab()
    Phone(lab).subscribe()
    assert isinstance(lab.notifier, Notifier)
    lab.notifier.reauthorize(now=lab.now)
    lab.pump()
    assert len(lab.rows) == 1 and set(lab.notifier.resources()) == {"alice"}


def test_whose_domain_is_served_no_more_is_rejected() -> None:
    """After a restart with other settings: RFC 6665 §4.1.3."""
    lab, access = household()
    phone = Phone(lab)
    phone.subscribe(X_Identity="alice")
    access.is_served = False
    before = len(lab.sent)
    lab.notifier.reauthorize(now=lab.now)
    lab.pump()
    assert [state_of(told) for told in lab.since(before)] == ["terminated;reason=rejected"]


def test_one_that_expires_while_its_notify_is_unanswered_is_told_after_its_answer() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    lab.run_until(lab.now + 595)
    before = len(lab.sent)
    waiting = lab.change("alice", b"<b/>")
    lab.run_until(lab.now + 10)
    assert {parsed(data).cseq for data in lab.since(before)} == {2}  # type: ignore[union-attr]
    phone.take(waiting)
    assert phone.notifies[-1].headers.get("subscription-state") == "terminated;reason=timeout"
    assert phone.notifies[-1].cseq == 3


def test_it_is_not_quiet_while_something_is_to_be_stored_or_sent() -> None:
    lab = Lab()
    assert lab.notifier.is_quiet
    lab.notifier.receive(Phone(lab).build(), UDP, now=lab.now)
    assert not lab.notifier.is_quiet
