"""A NOTIFY above 1300 bytes leaves UDP (RFC 3261 §18.1.1), and comes back when the phone has nothing but UDP."""

import pytest

from gitops_profile.sip import Flow, NotifierSettings, NotifyAnswered
from gitops_profile.sip.flow import host_port
from gitops_profile.sip.syntax import Request

from .harness import PHONE, SERVER, TCP, UDP, FakePackage, Lab, Phone, parsed

LINKS = "text/xml, message/external-body"
LIMIT = 1300
BY_TCP = Flow("tcp", SERVER, PHONE)
LOOPBACK = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 5062))


def lab_with(size: int, settings: NotifierSettings | None = None) -> Lab:
    return Lab(settings, FakePackage({"alice": b"x" * size}))


def first_notify(lab: Lab, flow: Flow = UDP, **fields: str | None) -> tuple[Request, Flow, int]:
    """The NOTIFY that a SUBSCRIBE brings, unanswered; its flow and its bytes."""
    phone = Phone(lab, flow=flow)
    phone.contact = f"<sip:alice@{flow.remote[0]}:{flow.remote[1]}>"
    phone.subscribe(600, None, **fields)
    _, data, sent_on = lab.sent[-1]
    notify = parsed(data)
    assert isinstance(notify, Request)
    return notify, sent_on, len(data)


def test_the_bound_is_1300_bytes_of_the_whole_message() -> None:
    """Checklist row 29: RFC 3261 §18.1.1; the Via says what it is sent by."""
    _, _, small = first_notify(lab_with(10))
    fits = LIMIT - small + 10 - 1  # one more digit of Content-Length
    _, flow, size = first_notify(lab_with(fits))
    assert size == LIMIT and flow == UDP
    notify, flow, size = first_notify(lab_with(fits + 1))
    assert flow == BY_TCP and flow.connection == 0 and len(notify.body) == fits + 1
    assert notify.via.transport == "tcp"
    assert notify.headers.get("contact") == f"<sip:{host_port(SERVER)}>", "the phone's refresh goes where it has been"


def test_over_a_stream_there_is_no_bound() -> None:
    _, flow, size = first_notify(lab_with(50_000), TCP)
    assert flow == TCP and size > 50_000


def test_a_phone_that_listens_on_tcp_has_it_and_is_told_so_the_next_time() -> None:
    """Checklist row 29: with a TCP listener on the phone's side."""
    lab = lab_with(5000)
    notify, flow, _ = first_notify(lab)
    lab.receive(Phone.answer(notify), flow)
    assert next(iter(lab.rows.values())).delivery == "acknowledged"
    lab.change("alice", b"y" * 5000)
    assert lab.sent[-1][2] == BY_TCP


@pytest.mark.parametrize("silent", [True, False])
def test_without_tcp_it_is_withheld_and_tcp_is_not_tried_again_for_a_while(silent: bool) -> None:
    """Checklist row 29: without a TCP listener, refused at once or never answered."""
    lab = lab_with(5000)
    first, flow, _ = first_notify(lab)
    if silent:
        lab.run_until(lab.now + 32)
    else:
        lab.fail(lab.sent[-1][1], flow)
    _, data, flow = lab.sent[-1]
    again = parsed(data)
    assert flow == UDP and isinstance(again, Request) and again.cseq == first.cseq == 1
    assert again.via.branch != first.via.branch and again.body == b""
    lab.receive(Phone.answer(again))
    assert next(iter(lab.rows.values())).delivery == "faulted"  # the operator sees it
    lab.change("alice", b"y" * 5000)
    assert lab.sent[-1][2] == UDP
    lab.receive(Phone.answer(parsed(lab.sent[-1][1])))  # type: ignore[arg-type]
    lab.notifier._delivery.lookups._silent.clear()  # ten minutes later
    lab.change("alice", b"z" * 5000)
    assert lab.sent[-1][2] == BY_TCP


def test_a_refused_tcp_is_forgotten_after_ten_minutes() -> None:
    lab = lab_with(5000)
    _, flow, _ = first_notify(lab, Expires="3600")
    [again] = lab.fail(lab.sent[-1][1], flow)
    lab.receive(Phone.answer(parsed(again)))  # type: ignore[arg-type]
    lab.run_until(lab.now + 599)
    lab.change("alice", b"y" * 5000)
    assert lab.sent[-1][2] == UDP
    lab.receive(Phone.answer(parsed(lab.sent[-1][1])))  # type: ignore[arg-type]
    lab.run_until(lab.now + 2)
    lab.change("alice", b"z" * 5000)
    assert lab.sent[-1][2] == BY_TCP


@pytest.mark.parametrize(("flow", "settings"), [(LOOPBACK, None), (UDP, NotifierSettings(fragment=True))])
def test_it_comes_back_to_udp_where_that_is_safe_or_wanted(flow: Flow, settings: NotifierSettings | None) -> None:
    """RFC 3261 §18.1.1: "SHOULD retry the request, using UDP"."""
    lab = lab_with(5000, settings)
    _, by, _ = first_notify(lab, flow)
    assert by.transport == "tcp"
    [again] = lab.fail(lab.sent[-1][1], by)
    assert lab.sent[-1][2] == flow and parsed(again).body == b"x" * 5000
    lab.change("alice", b"x" * 66_000)
    lab.receive(Phone.answer(parsed(again)), flow)  # type: ignore[arg-type]
    assert parsed(lab.sent[-1][1]).body == b""  # more than a datagram can hold at all


def test_a_phone_that_can_follow_a_link_gets_one_and_stays_on_udp() -> None:
    """Checklist rows 13, 29: a pointer only to whoever listed message/external-body (RFC 6080 §6.5)."""
    notify, flow, size = first_notify(lab_with(5000), Accept=LINKS)
    assert flow == UDP and size <= LIMIT and notify.body == b"pointer"
    assert notify.headers.get("content-type") == "message/external-body"
    small, _, _ = first_notify(lab_with(5), Accept=LINKS)
    assert small.body == b"xxxxx"
    without, flow, _ = first_notify(lab_with(5000), Accept="text/xml")
    assert without.body == b"x" * 5000 and flow == BY_TCP


def test_a_phone_has_its_document_in_either_presentation() -> None:
    """I3: the etag is that of the content."""
    lab = lab_with(5000)
    notify, _, _ = first_notify(lab, Accept=LINKS)
    lab.receive(Phone.answer(notify))
    assert lab.change("alice", b"x" * 5000) == []
    lab.restart()
    assert lab.notifier.is_quiet


def test_a_link_that_does_not_fit_either_goes_by_tcp() -> None:
    lab = lab_with(5000)
    routes = ", ".join(["<sip:192.0.2.9;lr>"] * 30)
    notify, flow, size = first_notify(
        lab, Accept=LINKS, Record_Route=routes, Contact=f"<sip:{'a' * 600}@192.0.2.9:5062>"
    )
    assert flow.transport == "tcp" and size > LIMIT and notify.body == b"x" * 5000


def test_an_empty_notify_is_never_moved() -> None:
    """There is nothing to shorten, and nobody asked for this much of a header but the phone itself."""
    lab = Lab(NotifierSettings(datagram_bytes=100))
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", None))
    assert lab.sent[-1][2] == UDP


def test_503_by_tcp_is_an_answer_and_not_the_absence_of_one() -> None:
    """Checklist row 17: a phone that says 503 listens; it is tried again later, the same way."""
    lab = lab_with(5000)
    notify, _, _ = first_notify(lab)
    assert lab.receive(Phone.answer(notify, 503)) == []
    before = len(lab.sent)
    lab.run_until(lab.now + 3)
    assert lab.sent[before][2] == BY_TCP
    assert [fact.status for fact in lab.happened if isinstance(fact, NotifyAnswered)] == [503]


def test_a_phone_that_never_answers_a_long_notify_is_given_up() -> None:
    """Checklist row 18: Timer F by TCP, then by UDP; and not by TCP again and again."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(answer=None, From=f'"{"A" * 1400}" <sip:alice@example.com>;tag=phone')
    lab.run_until(lab.now + 3600)  # six times as long as it was granted
    notifies = [data for _, data, _ in lab.sent if data.startswith(b"NOTIFY")]
    assert len(lab.notifier) == 0 and lab.notifier.next_deadline() is None and len(notifies) < 25


def test_a_fetch_falls_back_too_and_leaves_nothing() -> None:
    lab = lab_with(5000)
    phone = Phone(lab)
    phone.subscribe(0, None)
    assert lab.sent[-1][2] == BY_TCP
    phone.take(lab.fail(lab.sent[-1][1], BY_TCP))
    assert phone.notifies[-1].headers.get("subscription-state") == "terminated;reason=timeout"
    assert lab.notifier.is_quiet and not lab.notifier._delivery.admission._per_source
