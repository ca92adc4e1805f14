"""A restart in every state (invariant I6): the rows are all there is."""

import pytest

from gitops_profile.sip import Flow, NotifierSettings, Target
from gitops_profile.sip.syntax import Request

from .harness import SERVER, TCP, FakeAccess, FakePackage, Lab, Phone, parsed, statuses

LINKS = "text/xml, message/external-body"


def restarted(lab: Lab, seconds: float = 0.0) -> list[Request]:
    """Kill it, and what a new one sends at once."""
    before = len(lab.sent)
    lab.now += seconds
    lab.restart()
    return [message for message in map(parsed, lab.since(before)) if isinstance(message, Request)]


def test_the_cseq_goes_on_from_what_was_sent_whoever_answered() -> None:
    """Checklist row 19: RFC 3261 §12.2.1.1: stored before it is sent."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    sent = [1]
    for number in range(5):
        told = lab.change("alice", b"<%d/>" % number)
        sent += [message.cseq for message in map(parsed, told) if isinstance(message, Request)]
        sent += [message.cseq for message in restarted(lab)]
    assert sent == list(range(1, 8))  # every restart says it again, for nothing was acknowledged


def test_an_accepted_subscription_whose_notify_was_lost_with_the_server_is_told() -> None:
    """Checklist row 1: RFC 6665 §4.2.1.2."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(answer=None)
    [notify] = restarted(lab)
    assert notify.body == b"<a/>" and notify.cseq == 2 and notify.from_.tag == phone.to_tag


def test_one_that_expired_meanwhile_is_told_that_and_nothing_else() -> None:
    """Checklist rows 8, 14: RFC 6665 §4.2.1.4."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    lab.package.documents["alice"] = b"<b/>"
    assert restarted(lab, 700) == []
    before = len(lab.sent)
    lab.run_until(lab.now)
    [told] = map(parsed, lab.since(before))
    assert told.headers.get("subscription-state") == "terminated;reason=timeout" and not lab.rows
    assert statuses(phone.subscribe()) == [481]


def test_a_refused_refresh_and_an_accepted_one() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    phone.subscribe(3000)
    assert restarted(lab, 700) == []
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]


@pytest.mark.parametrize("status", [500, 401])
def test_a_notify_that_was_refused_is_tried_again_at_once(status: int) -> None:
    lab = Lab()
    Phone(lab).subscribe(answer=status)
    assert [notify.body for notify in restarted(lab)] == [b"<a/>"]


def test_a_name_is_looked_up_again() -> None:
    lab = Lab(access=FakeAccess(proxies={"192.0.2.9"}))
    phone = Phone(lab)
    phone.contact = "<sip:alice@phone.example.net>"
    phone.subscribe()
    assert len(lab.notifier.lookups()) == 1 and restarted(lab) == []
    [hop] = lab.notifier.lookups()
    lab.notifier.looked_up(hop, [Target("udp", "198.51.100.4", 5060)], now=lab.now)
    lab.pump()
    assert lab.sent[-1][2].remote == ("198.51.100.4", 5060)


def test_a_stream_is_opened_again_to_the_contact() -> None:
    """RFC 5923 is not built: the connection of the SUBSCRIBE is gone with the server."""
    lab = Lab()
    phone = Phone(lab, flow=TCP)
    phone.contact = "<sip:alice@192.0.2.9:6060;transport=tcp>"
    phone.subscribe()
    lab.package.documents["alice"] = b"<b/>"
    assert len(restarted(lab)) == 1
    assert lab.sent[-1][2] == Flow("tcp", SERVER, ("192.0.2.9", 6060), 0)


def test_who_it_was_and_what_it_could_read_is_known_again() -> None:
    lab = Lab(package=FakePackage({"alice": b"x" * 2000}), access=FakeAccess())
    phone = Phone(lab)
    phone.subscribe(X_Identity="alice", Accept=LINKS, Event='ua-profile;id=7;vendor="v";model="m";version="1"')
    [before] = lab.notifier.subscriptions()
    lab.restart()
    [after] = lab.notifier.subscriptions()
    assert after.audience == before.audience and after.identity == "alice" and after.follows == before.follows
    assert after.event_id == "7" and after.to_stored() == before.to_stored()
    event = "ua-profile;id=7"
    assert statuses(phone.subscribe(X_Identity="bob", Event=event)) == [403]
    assert statuses(phone.subscribe(X_Identity="alice", Event=event)) == [200, "NOTIFY"]
    assert phone.notifies[-1].body == b"pointer" and phone.notifies[-1].headers.get("event") == event


def test_a_document_removed_meanwhile_is_told_or_ends_it() -> None:
    """Checklist row 62."""
    for policy, state in ((False, "active"), (True, "terminated;reason=noresource")):
        lab = Lab(NotifierSettings(end_removed=policy))
        Phone(lab).subscribe()
        del lab.package.documents["alice"]
        [notify] = restarted(lab)
        assert (notify.headers.get("subscription-state") or "").startswith(state) and notify.body == b""


def test_counts_are_there_again() -> None:
    lab = Lab(NotifierSettings(max_per_source=1))
    phone = Phone(lab)
    phone.subscribe()
    restarted(lab)
    assert statuses(Phone(lab, call_id="c2").subscribe()) == [503]
    assert statuses(phone.subscribe(0)) == [200, "NOTIFY"]
    assert statuses(Phone(lab, call_id="c3").subscribe()) == [200, "NOTIFY"]


def test_a_request_that_was_answered_before_is_answered_again_once_and_a_lower_one_never() -> None:
    """RFC 3261 §12.2.2: its 200 may have been lost with the server, and its transaction is."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    refresh = phone.build()
    assert statuses(phone.send(refresh)) == [200, "NOTIFY"]
    lab.restart()
    older = refresh.replace(b"CSeq: 2 ", b"CSeq: 1 ").replace(b"branch=z9hG4bK", b"branch=z9hG4bKolder")
    assert statuses(phone.send(older)) == [500]
    assert statuses(phone.send(refresh)) == [200, "NOTIFY"]
    assert statuses(phone.send(refresh)) == [200]  # a repetition of what is known
    assert statuses(phone.send(refresh.replace(b"branch=z9hG4bK", b"branch=z9hG4bKother"))) == [500]
