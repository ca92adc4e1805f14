"""What phones say in their answers to NOTIFYs, beside the status (RFC 3261 §12.2.1.2, §17.1.2, §20.33; RFC 4483)."""

import pytest

from gitops_profile.sip import Audience, EventState, Flow, NotifyAnswered
from gitops_profile.sip.syntax import Request, read_plain_answer

from .harness import PHONE, SERVER, TCP, UDP, FakeAccess, FakePackage, Lab, Phone, parsed

ELSEWHERE = ("192.0.2.9", 7777)


def answered(lab: Lab, notify: Request, contact: str, status: int = 200, flow: Flow = UDP) -> None:
    """The answer to a NOTIFY, with a Contact line."""
    data = Phone.answer(notify, status)
    lab.receive(data.replace(b"Content-Length", contact.encode() + b"\r\nContent-Length"), flow)


def next_notify(lab: Lab) -> tuple[Request, Flow]:
    """The NOTIFY of a change, and where it went."""
    lab.change("alice", b"<next/>")
    _, data, flow = lab.sent[-1]
    notify = parsed(data)
    assert isinstance(notify, Request)
    return notify, flow


def after_answering(contact: str, status: int = 200) -> tuple[Request, Flow]:
    """The next NOTIFY of a phone that has answered its first one with this Contact, and where that went."""
    lab = Lab()
    Phone(lab).subscribe(600, None)
    answered(lab, parsed(lab.sent[-1][1]), f"Contact: {contact}", status)  # type: ignore[arg-type]
    return next_notify(lab)


@pytest.mark.parametrize(
    "line", ["Contact: <sip:alice@192.0.2.9:7777;x=new>", 'm: "Alice" <sip:alice@192.0.2.9:7777;x=new>;expires=60']
)
def test_a_phone_that_says_in_its_200_where_it_is_now_is_told_there(line: str) -> None:
    """RFC 3261 §12.2.1.2: NOTIFY is a target refresh request, and the answer's Contact MUST be taken over."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600, None)
    answered(lab, parsed(lab.sent[-1][1]), line)  # type: ignore[arg-type]
    notify, flow = next_notify(lab)
    assert notify.uri == "sip:alice@192.0.2.9:7777;x=new"
    assert flow == Flow("udp", SERVER, ELSEWHERE)
    assert [row.remote_target for row in lab.rows.values()] == ["sip:alice@192.0.2.9:7777;x=new"]
    lab.restart()
    assert next_notify(lab)[0].uri == notify.uri


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:alice@192.0.2.9:5062>",
        "<sip:alice@192.0.2.9:7777>, <sip:alice@192.0.2.9:7778>",
        "*",
        "<tel:+4930>",
        "<sips:alice@192.0.2.9:7777>",
        "<sip:192.0.2.1:5060>",
    ],
    ids=["the same", "two", "all", "no SIP URI", "SIPS without TLS", "ours"],
)
def test_a_contact_where_nobody_can_be_told_changes_nothing(contact: str) -> None:
    notify, flow = after_answering(contact)
    assert notify.uri == "sip:alice@192.0.2.9:5062" and flow == UDP


def test_a_contact_in_a_200_makes_no_reflector_of_us() -> None:
    """RFC 6665 §6.3: of who has not shown who he is the NOTIFYs go back where his SUBSCRIBE came from."""
    notify, flow = after_answering("<sip:victim@198.51.100.7>")
    assert notify.uri == "sip:victim@198.51.100.7" and flow == UDP


def test_a_contact_in_an_error_changes_nothing() -> None:
    notify, _ = after_answering("<sip:alice@192.0.2.9:7777>", 500)
    assert notify.uri == "sip:alice@192.0.2.9:5062"


@pytest.mark.parametrize("status", [500, 503])
def test_who_says_when_to_come_again_is_left_alone_until_then(status: int) -> None:
    """Checklist row 17: RFC 3261 §20.33, also when the document changes meanwhile."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", b"<b/>"), status, retry_after=120)
    asked_at, before = lab.now, len(lab.sent)
    lab.now += 5
    assert lab.change("alice", b"<c/>") == []
    lab.run_until(asked_at + 119)
    assert len(lab.sent) == before
    lab.run_until(asked_at + 120.2)
    [notify] = lab.since(before)
    assert b"<c/>" in notify
    phone.take([notify])
    assert b"<d/>" in lab.change("alice", b"<d/>")[0], "it has taken one, so it is there again"


@pytest.mark.parametrize(("status", "told"), [(503, 0), (500, 1)])
def test_a_503_is_of_everybody_behind_the_same_peer(status: int, told: int) -> None:
    """RFC 3261 §21.5.4: no other requests to that server; any other answer is of one dialog."""
    lab = Lab()
    first, second = Phone(lab), Phone(lab, call_id="call-2")
    first.subscribe()
    second.subscribe()
    one, _ = lab.change("alice", b"<b/>")
    first.take([one], status, retry_after=120)
    lab.now += 1
    lab.receive(Phone.answer(parsed(lab.sent[-1][1])))  # type: ignore[arg-type]
    lab.receive(Phone.answer(parsed(one), status, 120))  # type: ignore[arg-type]
    lab.now += 5
    assert len(lab.change("alice", b"<c/>")) == told


def test_a_subscribe_is_told_whatever_was_asked_for_before() -> None:
    """RFC 6665 §4.2.1.2: a NOTIFY follows every 2xx."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", b"<b/>"), 503, retry_after=120)
    lab.now += 1
    assert [type(message).__name__ for message in phone.subscribe()] == ["Response", "Request"]
    assert b"<c/>" in lab.change("alice", b"<c/>")[0]


def test_a_100_is_somebody_who_is_there() -> None:
    """RFC 3261 §17.1.2.2, RFC 4320 §4.1: repeated every T2 until Timer F, however little is known of the address."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600, None)
    start, notify = lab.now, parsed(lab.sent[-1][1])
    assert isinstance(notify, Request)
    lab.run_until(start + 3.6)
    lab.receive(Phone.answer(notify, 100))
    lab.run_until(start + 30)
    assert [round(at - start, 1) for at, data, _ in lab.sent if data.startswith(b"NOTIFY")] == [
        0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5,
    ]  # fmt: skip
    lab.receive(Phone.answer(notify))
    assert [event.status for event in lab.happened if isinstance(event, NotifyAnswered)] == [200]
    assert len(lab.notifier) == 1


def test_who_refuses_a_pointer_gets_the_document_itself() -> None:
    """RFC 4483 §5.8: the sender MUST be prepared for it; until the next SUBSCRIBE says what it takes."""
    package = FakePackage({"alice": b"x" * 1500})
    lab = Lab(package=package)
    phone = Phone(lab)
    phone.subscribe(600, 415, Accept="text/xml, message/external-body")
    assert (phone.notifies[-1].headers.get("content-type") or "").startswith("message/external-body")
    before = len(lab.sent)
    lab.run_until(lab.now + 3)
    [data] = lab.since(before)
    notify = parsed(data)
    assert notify.headers.get("content-type") == "text/xml" and lab.sent[-1][2] == Flow("tcp", SERVER, PHONE)
    lab.receive(Phone.answer(notify), TCP)  # type: ignore[arg-type]
    phone.subscribe(600, Accept="text/xml, message/external-body")
    assert (phone.notifies[-1].headers.get("content-type") or "").startswith("message/external-body")


def test_who_refuses_a_pointer_over_a_stream_gets_no_second_one() -> None:
    """What has left by a stream is kept no longer, but that it was a pointer."""

    class Sensitive(FakePackage):
        def state(self, resource: str, audience: Audience) -> EventState | None:
            state = super().state(resource, audience)
            return state and (state.link or state)

    lab = Lab(package=Sensitive())
    phone = Phone(lab, flow=TCP)
    phone.subscribe(600, 415, Accept="text/xml, message/external-body")
    before = len(lab.sent)
    lab.run_until(lab.now + 3)
    assert [parsed(data).headers.get("content-type") for data in lab.since(before)] == ["text/xml"]
    assert [row.accept for row in lab.rows.values()] == ["text/xml"], "nor after a restart"


def test_a_flow_that_failed_ends_the_subscription() -> None:
    """RFC 5626 §4.3.1: 430."""
    lab = Lab(access=FakeAccess())
    phone = Phone(lab)
    phone.subscribe(600, 430)
    assert not len(lab.notifier)


def test_the_plain_200_says_where_the_phone_is_now_too() -> None:
    """The shortcut for what phones send most is none for a Contact that is news."""
    lab = Lab()
    Phone(lab).subscribe(600, None)
    notify = parsed(lab.sent[-1][1])
    copied = [f"{name}: {notify.headers.get(name.lower())}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    lines = ["SIP/2.0 200 OK", *copied, "Contact: <sip:alice@192.0.2.9:7777>", "Content-Length: 0\r\n\r\n"]
    plain = "\r\n".join(lines).encode()
    assert read_plain_answer(plain) is not None
    lab.receive(plain)
    assert next_notify(lab)[0].uri == "sip:alice@192.0.2.9:7777"


def test_the_same_contact_again_is_not_written() -> None:
    lab = Lab()
    Phone(lab).subscribe(600, None)
    lab.holding = []
    answered(lab, parsed(lab.sent[-1][1]), "Contact: <sip:alice@192.0.2.9:5062>;expires=60")  # type: ignore[arg-type]
    [batch] = lab.holding
    assert batch.rows == [] and len(batch.told) == 1


def test_after_a_success_the_next_failure_is_the_first() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    for number in range(4):
        phone.take(lab.change("alice", b"<%d/>" % number), 500)
        before = len(lab.sent)
        lab.run_until(lab.now + 2.1)
        phone.take(lab.since(before))
        assert phone.notifies[-1].body == b"<%d/>" % number and len(lab.sent) == before + 1
