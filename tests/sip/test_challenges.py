"""A phone that challenges our NOTIFY (RFC 3261 §22.2, RFC 6080 §5.2.1)."""

import pytest

from gitops_profile.sip import Target
from gitops_profile.sip.syntax import Request

from .harness import FakeAccess, Lab, Phone, parsed, statuses


def subscribed(expires: int = 600, identity: str | None = "alice", **fields: str | None) -> tuple[Lab, Phone, Request]:
    """A laboratory, a phone that has not answered its first NOTIFY yet, and that NOTIFY."""
    lab = Lab(access=FakeAccess())
    phone = Phone(lab)
    notify = phone.subscribe(expires, None, X_Identity=identity, **fields)[1]
    assert isinstance(notify, Request)
    return lab, phone, notify


def challenged(phone: Phone, notify: Request, status: int = 401) -> list[Request]:
    """The NOTIFYs that a challenge brings."""
    messages = [parsed(data) for data in phone.lab.receive(phone.answer(notify, status), phone.flow)]
    return [message for message in messages if isinstance(message, Request)]


@pytest.mark.parametrize(("status", "field"), [(401, "authorization"), (407, "proxy-authorization")])
def test_a_challenge_is_answered_in_the_same_dialog_with_the_next_cseq(status: int, field: str) -> None:
    """Checklist row 40: RFC 3261 §22.2."""
    lab, phone, notify = subscribed()
    [again] = challenged(phone, notify, status)
    assert again.headers.get(field) == 'Digest n="1"'
    assert (again.cseq, again.call_id, again.body) == (notify.cseq + 1, notify.call_id, notify.body)
    assert again.from_.tag == notify.from_.tag and again.to.tag == notify.to.tag
    assert again.via.branch != notify.via.branch
    phone.take([], None)
    lab.receive(phone.answer(again))
    assert next(iter(lab.rows.values())).delivery == "acknowledged" and lab.notifier.is_quiet


def test_a_second_challenge_is_a_failure_that_is_tried_again_later() -> None:
    """Checklist rows 17, 40: no credentials are given twice for one NOTIFY (RFC 3261 §22.2), and 401 ends nothing."""
    lab, phone, notify = subscribed()
    [again] = challenged(phone, notify)
    assert challenged(phone, again) == [] and len(lab.rows) == 1
    before = len(lab.sent)
    lab.run_until(lab.now + 1.9)
    assert len(lab.sent) == before
    lab.run_until(lab.now + 0.2)
    third = parsed(lab.sent[before][1])
    assert isinstance(third, Request) and third.cseq == 3 and third.headers.get("authorization") is None
    [fourth] = challenged(phone, third)
    lab.receive(phone.answer(fourth))
    assert next(iter(lab.rows.values())).delivery == "acknowledged"


def test_a_phone_that_challenges_for_ever_is_asked_ever_more_seldom() -> None:
    lab, phone, notify = subscribed(86400)
    start = lab.now
    waiting = [notify]
    while lab.now < start + 3600:
        for one in waiting:
            for again in challenged(phone, one):
                assert challenged(phone, again) == []
        before = len(lab.sent)
        lab.run_until(lab.now + 1)
        waiting = [m for m in map(parsed, lab.since(before)) if isinstance(m, Request)]
    assert sum(data.startswith(b"NOTIFY") for _, data, _ in lab.sent) < 50 and len(lab.rows) == 1


def test_a_challenge_without_credentials_is_a_failure_of_this_notify_only() -> None:
    """Checklist row 17: protocol.md 5.7."""
    lab, phone, notify = subscribed(identity=None)
    assert challenged(phone, notify) == [] and len(lab.rows) == 1
    assert next(iter(lab.rows.values())).delivery == "faulted"


@pytest.mark.parametrize("expires", [600, 0])
def test_a_challenge_to_a_terminating_notify_is_answered_once(expires: int) -> None:
    """Also of a fetch, which leaves nothing behind."""
    lab, phone, notify = subscribed(expires)
    if expires:
        lab.receive(phone.answer(notify))
        notify = phone.subscribe(0, None, X_Identity="alice")[1]  # type: ignore[assignment]
    [again] = challenged(phone, notify)
    assert again.headers.get("subscription-state") == "terminated;reason=timeout" and again.cseq == notify.cseq + 1
    assert challenged(phone, again) == [] and lab.notifier.is_quiet
    assert not lab.rows and not lab.notifier._delivery.admission._per_source


def test_the_state_is_the_newest_when_a_challenge_is_answered() -> None:
    lab, phone, notify = subscribed()
    lab.change("alice", b"<b/>")
    [again] = challenged(phone, notify)
    assert again.body == b"<b/>"
    lab.receive(phone.answer(again))
    assert lab.notifier.is_quiet


def test_a_late_challenge_to_a_notify_that_was_superseded_is_dropped() -> None:
    lab, phone, notify = subscribed()
    newer = phone.subscribe(600, None, X_Identity="alice")[1]
    assert challenged(phone, notify) == [] and isinstance(newer, Request)
    lab.receive(phone.answer(newer))
    assert lab.notifier.is_quiet


def test_credentials_go_along_when_the_flow_fails() -> None:
    """RFC 3263 §4.3: the same request by the next flow; without them it would be challenged again, and so for ever."""
    lab = Lab(access=FakeAccess())
    phone = Phone(lab)
    phone.contact = "<sip:alice@192.0.2.9:5062;transport=tcp>"
    phone.subscribe(answer=None, X_Identity="alice")
    [second] = (parsed(data) for data in lab.fail(lab.sent[-1][1], lab.sent[-1][2]))
    assert isinstance(second, Request) and second.via.transport == "udp"
    [third] = challenged(phone, second)
    assert third.via.transport == "tcp" and third.headers.get("authorization")
    [fourth] = (parsed(data) for data in lab.fail(lab.sent[-1][1], lab.sent[-1][2]))
    assert isinstance(fourth, Request) and fourth.via.transport == "udp" and fourth.cseq == third.cseq == 2
    assert fourth.headers.get("authorization") == third.headers.get("authorization")
    assert challenged(phone, fourth) == [] and len(lab.rows) == 1


def test_a_challenged_notify_that_waits_for_a_name_is_not_forgotten() -> None:
    lab = Lab(access=FakeAccess(proxies={"192.0.2.9"}))
    phone = Phone(lab)
    phone.contact = "<sip:alice@phone.example.net>"
    phone.subscribe(X_Identity="alice")
    here = [Target("udp", "192.0.2.9", 5062)]
    [hop] = lab.notifier.lookups()
    lab.notifier.looked_up(hop, here, now=lab.now)
    lab.pump()
    phone.take([lab.sent[-1][1]])
    assert statuses(phone.subscribe(0, X_Identity="alice", answer=None)) == [200, "NOTIFY"]
    lab.now += 20  # the answer is too old by now
    assert challenged(phone, phone.notifies[-1]) == []
    [hop] = lab.notifier.lookups()
    before = len(lab.sent)
    lab.notifier.looked_up(hop, here, now=lab.now)
    lab.pump()
    [told] = lab.since(before)
    assert b"terminated;reason=timeout" in told
