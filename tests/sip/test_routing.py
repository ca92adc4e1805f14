"""Where a NOTIFY goes (RFC 3261 §12.2.1.1, RFC 3263, RFC 5626, RFC 6665 §6.3)."""

from dataclasses import replace
from ipaddress import ip_network
from itertools import product

import pytest

from gitops_profile.sip import Flow, Hop, NotifierSettings, NotifyAnswered, Subscription, Target, lookups
from gitops_profile.sip.dialog import Dialog
from gitops_profile.sip.routing import flows_to, is_same_host, leads_back
from gitops_profile.sip.syntax import URI, Request
from tests.conftest import Bound

from .harness import PHONE, SERVER, TCP, UDP, FakeAccess, Lab, Phone, parsed, statuses

TLS = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.9", 40001), 8)
WSS = Flow("wss", ("192.0.2.1", 5063), ("192.0.2.9", 40002), 9)
UDP6 = Flow("udp", ("2001:db8::1", 5060), ("2001:db8::9", 5062))
ELSEWHERE = "198.51.100.7"
NAMED = "<sip:alice@phone.example.net>"
HERE = Flow("udp", SERVER, ("192.0.2.9", 5060))


def trusting() -> Lab:
    """A laboratory whose phones are all behind an edge proxy of ours, so that NOTIFYs follow the dialog."""
    settings = NotifierSettings(unlimited_sources=(ip_network("192.0.2.9"), ip_network("2001:db8::9")))
    return Lab(settings, access=FakeAccess(proxies={"192.0.2.9", "2001:db8::9"}))


def subscribed(lab: Lab, contact: str, flow: Flow = UDP, **fields: str | None) -> list[Flow]:
    """The flows that the messages after a SUBSCRIBE went on; the phone answers no NOTIFY."""
    phone = Phone(lab, flow=flow)
    phone.contact = contact
    before = len(lab.sent)
    phone.subscribe(600, None, **fields)
    return [flow for _, _, flow in lab.sent[before:]]


def looked_up(lab: Lab, *targets: Target, after: float = 0.0) -> list[tuple[bytes, Flow]]:
    """Answer the one question that is open; what that sent."""
    [hop] = lab.notifier.lookups()
    lab.now += after
    before = len(lab.sent)
    lab.notifier.looked_up(hop, list(targets), now=lab.now)
    lab.pump()
    return [(data, flow) for _, data, flow in lab.sent[before:]]


STRANGERS = [
    (f"<sip:victim@{ELSEWHERE}:5060>", {}),
    ("<sip:victim@victim.example.net>", {}),
    (f"<sip:alice@192.0.2.9:5062;maddr={ELSEWHERE}>", {}),
    ("<sip:alice@192.0.2.9>", {"Record_Route": f"<sip:{ELSEWHERE};lr>"}),
    ("<sip:alice@192.0.2.9>", {"Record_Route": f"<sip:{ELSEWHERE}>"}),
    ("<sip:alice@192.0.2.9>", {"Record_Route": "<sip:proxy.example.net;lr>, <sip:192.0.2.9;lr>"}),
    ("<sip:alice@192.0.2.9>", {"Via": f"SIP/2.0/UDP 10.0.0.1;maddr={ELSEWHERE};branch=z9hG4bKx;rport"}),
    ("<sip:alice@[2001:db8::7]>", {}),
]


@pytest.mark.parametrize(("contact", "fields"), STRANGERS)
@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_stranger_cannot_send_our_notifies_to_somebody_else(
    contact: str, fields: dict[str, str | None], flow: Flow
) -> None:
    """Checklist row 65: RFC 6665 §6.3."""
    lab = Lab()
    assert {sent.remote[0] for sent in subscribed(lab, contact, flow, **fields)} == {"192.0.2.9"}
    assert lab.notifier.lookups() == []
    lab.run_until(lab.now + 700)
    assert {flow.remote[0] for _, _, flow in lab.sent} == {"192.0.2.9"}


NOBODY = (
    "127.0.0.1", "[::1]", "224.0.1.75", "0.0.0.0", "[::ffff:127.0.0.1]", "[::ffff:e000:14b]", "[::ffff:0.0.0.0]",
    "[::1%1]", "[ff02::1%eth0]", "[fe80::1]", "[fe80::1%4]", "192.0.2.9;maddr=127.0.0.1%1",
)  # fmt: skip


@pytest.mark.parametrize("contact", [f"<sip:a@{host}>" for host in NOBODY])
def test_nobody_sends_our_notifies_to_ourselves_or_to_a_group(contact: str) -> None:
    """Checklist row 65: being known is no reason."""
    assert subscribed(trusting(), contact)[1] == UDP


def test_a_zone_is_no_part_of_an_address_and_nothing_is_sent_to_one() -> None:
    """Linphone writes the zone of its interface, and Asterisk into the Via of what it passes on."""
    near = Flow("udp", ("fe80::a", 5060), ("fe80::9", 5062))
    lab = Lab()
    via = "SIP/2.0/UDP [fe80::9%4]:5062;branch=z9hG4bK1;rport, SIP/2.0/UDP [fe80::7%eth0]:5062;branch=z9hG4bK2"
    assert subscribed(lab, "<sip:alice@[fe80::9%4]:5062>", near, Via=via) == [near, near]
    assert lab.sent[1][1].startswith(b"NOTIFY sip:alice@[fe80::9%4]:5062 SIP/2.0\r\n")  # as he wrote it (§12.2.1.1)
    assert subscribed(trusting(), "<sip:alice@[2001:db8::7%4]:5070>", UDP6)[1].remote == ("2001:db8::7", 5070)


def test_a_link_local_phone_is_notified_on_its_link_and_told_nothing_of_it() -> None:
    near = Flow("udp", ("fe80::a", 5060), ("fe80::9%3", 5062))
    settings = NotifierSettings(unlimited_sources=(ip_network("fe80::/10"),))
    for lab in (Lab(), Lab(settings)):
        phone = Phone(lab, flow=near)
        phone.contact = "<sip:alice@[fe80::9]:5062>"
        phone.subscribe()
        lab.restart()
        lab.change("alice", b"<b/>")
        assert len(lab.sent) == 3 and {flow for _, _, flow in lab.sent} == {near}
        assert not any(b"%" in data for _, data, _ in lab.sent)
        assert b";received=fe80::9\r\n" in lab.sent[0][1]


@pytest.mark.parametrize("name", ["phone.example.net", "Phone.Example.NET."])
def test_a_certificate_has_the_name_without_a_dot_at_its_end(name: str) -> None:
    """RFC 3261 §25.1 lets a hostname end with one."""
    lab = trusting()
    subscribed(lab, f"<sip:alice@{name};transport=tls>", TLS)
    [(_, flow)] = looked_up(lab, Target("tls", ELSEWHERE, 5061))
    assert flow.peer == ("phone.example.net",)


def test_an_ipv4_mapped_address_is_the_ipv4_address_in_it() -> None:
    """RFC 5118 §4.9."""
    assert is_same_host("[::ffff:192.0.2.9]", "192.0.2.9") and not is_same_host("[::ffff:192.0.2.8]", "192.0.2.9")
    assert subscribed(Lab(), "<sip:alice@[::ffff:192.0.2.9]:5062>")[1] is UDP
    assert subscribed(Lab(), "<sip:alice@[::ffff:192.0.2.9]:5062;transport=tcp>", TCP)[1].connection == TCP.connection
    assert subscribed(trusting(), f"<sip:alice@[::ffff:{ELSEWHERE}]:5070>")[1].remote == (ELSEWHERE, 5070)


@pytest.mark.parametrize("contact", ["<sip:alice@10.1.1.9:5062;ob>", "<sip:alice@192.0.2.9:9999;ob>", "<sip:a@h;ob>"])
@pytest.mark.parametrize("flow", [UDP, TCP, replace(UDP, remote=("192.0.2.9", 41000))])
def test_ob_means_the_same_flow(contact: str, flow: Flow) -> None:
    """Checklist row 34: RFC 5626 §7, RFC 6080 §5.4, §6.7."""
    lab = trusting()
    assert subscribed(lab, contact, flow)[1] == flow
    lab.change("alice", b"<b/>")
    assert lab.notifier.lookups() == []


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_private_contact_behind_a_nat_is_reached_on_the_path_of_its_subscribe(flow: Flow) -> None:
    """Checklist row 34: also of who has shown who he is: his Via says another address (RFC 3581)."""
    lab = Lab(access=FakeAccess())
    via = f"SIP/2.0/{flow.transport.upper()} 10.1.1.9:5062;branch=z9hG4bK-nat;rport"
    assert subscribed(lab, "<sip:alice@10.1.1.9:5062>", flow, X_Identity="alice", Via=via)[1] == flow


def test_who_has_shown_who_he_is_and_is_behind_no_nat_is_followed() -> None:
    lab = Lab(access=FakeAccess())
    sent = subscribed(lab, f"<sip:alice@{ELSEWHERE}:5070>", X_Identity="alice")
    assert sent[1] == Flow("udp", SERVER, (ELSEWHERE, 5070))


def test_a_browser_is_reached_on_its_connection_only() -> None:
    """Checklist row 63: RFC 7118 §5."""
    for flow in (WSS, replace(WSS, transport="ws")):
        lab = trusting()
        assert subscribed(lab, "<sip:x4kq@df7jal23ls0d.invalid;transport=ws>", flow)[1] == flow
        assert b";transport=ws" in lab.sent[1][1].partition(b"Contact:")[2]


CONTACTS = [
    (UDP, "<sip:alice@192.0.2.9>", [HERE]),
    (UDP, "<sip:alice@192.0.2.9:7777>", [Flow("udp", SERVER, ("192.0.2.9", 7777))]),
    (UDP, "<sip:alice@192.0.2.9:5062;transport=tcp>", [Flow("tcp", SERVER, PHONE), UDP]),
    (UDP, "<sip:alice@192.0.2.9;transport=tls>", [Flow("tls", SERVER, ("192.0.2.9", 5061)), UDP]),
    (UDP, "<sip:alice@192.0.2.9:5062;transport=sctp>", [UDP]),
    (TCP, "<sip:alice@192.0.2.9:6060>", [Flow("tcp", SERVER, ("192.0.2.9", 6060), 7)]),
    (TCP, "<sip:alice@192.0.2.9:6060;transport=udp>", [Flow("udp", SERVER, ("192.0.2.9", 6060)), TCP]),
    (TLS, "<sip:alice@192.0.2.9:6060>", [Flow("tls", TLS.local, ("192.0.2.9", 6060), 8)]),
    (TLS, "<sip:alice@192.0.2.9:6060;transport=udp>", [TLS]),
    (TLS, "<sip:alice@192.0.2.9:6060;transport=tcp>", [TLS]),
    (TLS, "<sips:alice@192.0.2.9>", [Flow("tls", TLS.local, ("192.0.2.9", 5061), 8)]),
    (UDP6, "<sip:alice@[2001:db8::9]:7777>", [Flow("udp", UDP6.local, ("2001:db8::9", 7777))]),
    (UDP6, "<sip:alice@[2001:DB8:0:0::9]:7777>", [Flow("udp", UDP6.local, ("2001:db8::9", 7777))]),
    (UDP6, "<sip:alice@[2001:db8::8]:7777>", [UDP6]),
]


@pytest.mark.parametrize(("flow", "contact", "expected"), CONTACTS)
def test_the_contact_on_the_host_of_the_subscribe_is_tried_and_then_the_path_that_worked(
    flow: Flow, contact: str, expected: list[Flow]
) -> None:
    """RFC 3263 §4.1, §4.3; RFC 6080 §6.7: what came protected is answered protected."""
    lab = Lab()
    subscribed(lab, contact, flow)
    first = parsed(lab.sent[-1][1])
    tried = [lab.sent[-1][2]]
    while len(tried) < 5 and (again := lab.fail(lab.sent[-1][1], lab.sent[-1][2])):
        assert len(again) == 1
        message = parsed(again[0])
        assert isinstance(first, Request) and isinstance(message, Request)
        assert message.via.branch != first.via.branch and message.cseq == first.cseq  # a new transaction
        assert message.via.transport == lab.sent[-1][2].transport
        tried.append(lab.sent[-1][2])
    assert tried == expected and [flow.connection for flow in tried] == [flow.connection for flow in expected]


CLEAR = [
    (f"<sip:alice@{ELSEWHERE}:5070>", None),
    (f"<sip:alice@{ELSEWHERE}:5070;transport=udp>", None),
    (f"<sip:alice@{ELSEWHERE}:5070;transport=tcp>", None),
    ("<sip:alice@192.0.2.9>", f"<sip:{ELSEWHERE};lr>"),
    (NAMED, None),
]


@pytest.mark.parametrize(("contact", "routes"), CLEAR)
def test_what_came_protected_is_answered_protected_wherever_the_dialog_leads(contact: str, routes: str | None) -> None:
    """Checklist row 42: RFC 6080 §5.2, §6.7: the document may be sensitive, and was meant for TLS."""
    lab = trusting()
    subscribed(lab, contact, TLS, Record_Route=routes)
    for hop in lab.notifier.lookups():
        lab.notifier.looked_up(hop, [Target("udp", ELSEWHERE, 5060), Target("tcp", ELSEWHERE, 5060)], now=lab.now)
        lab.pump()
    assert lab.sent[-1][1].startswith(b"NOTIFY ") and lab.sent[-1][2] == TLS
    assert lab.fail(lab.sent[-1][1], TLS) == []  # and when that is gone, not at all
    lab.change("alice", b"<b/>")
    assert all(flow == TLS for _, _, flow in lab.sent)


def test_of_several_ways_a_protected_one_is_taken() -> None:
    lab = trusting()
    subscribed(lab, NAMED, TLS)
    sent = looked_up(lab, Target("udp", ELSEWHERE, 5060), Target("tls", ELSEWHERE, 5061))
    assert [(flow.transport, flow.remote) for _, flow in sent] == [("tls", (ELSEWHERE, 5061))]


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_contact_that_leads_nowhere_is_answered_the_way_it_came(flow: Flow) -> None:
    """Checklist row 1: RFC 6665 §4.2.1.2: a NOTIFY follows every 2xx, over an open connection in any case."""
    lab = Lab(access=FakeAccess())
    subscribed(lab, "<sip:alice@phone.local>", flow, X_Identity="alice", Via=f"SIP/2.0/{flow.transport.upper()} "
               "192.0.2.9:5062;branch=z9hG4bKx;rport")  # fmt: skip
    assert [to for _, to in looked_up(lab)] == [flow]


def test_when_the_last_flow_fails_the_subscription_waits_with_its_state_unknown() -> None:
    """Checklist row 17: RFC 6665 §4.2.2."""
    lab = Lab()
    subscribed(lab, "<sip:alice@192.0.2.9:5062;transport=tcp>")
    lab.fail(lab.sent[-1][1], lab.sent[-1][2])
    assert lab.fail(lab.sent[-1][1], lab.sent[-1][2]) == []
    [row] = lab.rows.values()
    assert row.delivery == "faulted" and row.acknowledged_etag is None and lab.notifier.is_quiet
    before = len(lab.sent)
    lab.run_until(lab.now + 3)
    assert len(lab.sent) > before  # tried again, over UDP, by the clock


def test_when_the_last_flow_is_silent_the_subscription_goes() -> None:
    """Checklist row 18: Timer F of the first flow, then of the second (RFC 3263 §4.3)."""
    lab = Lab()
    subscribed(lab, "<sip:alice@192.0.2.9:5062;transport=tcp>")
    lab.run_until(lab.now + 31)
    assert len(lab.sent) == 2
    lab.run_until(lab.now + 2)
    assert lab.sent[-1][2] == UDP and len(lab.rows) == 1
    lab.run_until(lab.now + 40)
    assert not lab.rows and lab.notifier.is_quiet


def test_a_name_is_asked_once_for_all_who_wait_for_it() -> None:
    lab = trusting()
    for number in range(3):
        phone = Phone(lab, call_id=f"c{number}")
        phone.contact = NAMED
        assert statuses(phone.subscribe()) == [200]  # the 200 does not wait
    sent = looked_up(lab, Target("udp", ELSEWHERE, 5060))
    assert [flow.remote for _, flow in sent] == [(ELSEWHERE, 5060)] * 3
    assert subscribed(lab, NAMED, Call_ID="c9")[1].remote == (ELSEWHERE, 5060)  # known for a while
    lab.now += 6
    assert len(subscribed(lab, NAMED, Call_ID="c10")) == 1


ROUTES = [
    (NAMED, None, Hop("sip", "phone.example.net", None, None)),
    ("<sip:alice@phone.example.net:5070>", None, Hop("sip", "phone.example.net", 5070, None)),
    ("<sip:a@phone.example.net;transport=TCP>", None, Hop("sip", "phone.example.net", None, "tcp")),
    ("<sips:a@phone.example.net>", None, Hop("sips", "phone.example.net", None, "tls")),
    (NAMED, "<sip:p1.example.net;lr>, <sip:p2.example.net;lr>", Hop("sip", "p1.example.net", None, None)),
    (NAMED, "<sip:p1.example.net>, <sip:p2.example.net;lr>", Hop("sip", "p1.example.net", None, None)),
    ("<sip:a@192.0.2.9;maddr=phone.example.net>", None, Hop("sip", "phone.example.net", None, None)),
]


@pytest.mark.parametrize(("contact", "routes", "hop"), ROUTES)
def test_the_next_hop_is_the_first_route_or_the_remote_target(contact: str, routes: str | None, hop: Hop) -> None:
    """Checklist row 37: RFC 3261 §12.2.1.1: a strict first hop is the Request-URI, and the target the last Route."""
    lab = trusting()
    flow = TLS if hop.transport == "tls" else UDP
    subscribed(lab, contact, flow, Record_Route=routes)
    assert lab.notifier.lookups() == [hop]
    lab.notifier.looked_up(hop, [Target("tcp", ELSEWHERE, 5070)], now=lab.now)
    lab.pump()
    if hop.transport == "tls":
        return
    notify = parsed(lab.sent[-1][1])
    assert isinstance(notify, Request) and lab.sent[-1][2] == Flow("tcp", SERVER, (ELSEWHERE, 5070))
    target = contact.strip("<>")
    if routes is None:
        assert (notify.uri, notify.headers.items("route")) == (target, [])
    elif ";lr>, " in routes:
        assert (notify.uri, notify.headers.items("route")) == (target, routes.split(", "))
    else:
        assert (notify.uri, notify.headers.items("route")) == ("sip:p1.example.net", [routes.split(", ")[1], contact])


def test_several_answers_are_tried_in_their_order() -> None:
    """RFC 3263 §4.3."""
    lab = trusting()
    subscribed(lab, NAMED)
    targets = [Target("udp", f"198.51.100.{number}", 5060) for number in range(3)]
    [(data, flow)] = looked_up(lab, *targets)
    lab.fail(data, flow)
    lab.run_until(lab.now + 8)  # the second is silent, four times (RFC 6665 §6.3)
    assert lab.sent[-1][2].remote == ("198.51.100.2", 5060)
    notify = parsed(lab.sent[-1][1])
    assert isinstance(notify, Request) and notify.cseq == 1
    lab.receive(Phone.answer(notify))
    assert next(iter(lab.rows.values())).delivery == "acknowledged"


def test_a_503_is_tried_at_the_next_host_and_not_once_more_at_the_same() -> None:
    """RFC 3263 §4.3; RFC 3261 §21.5.4."""
    lab = trusting()
    subscribed(lab, NAMED)
    looked_up(lab, Target("udp", "198.51.100.1", 5060), Target("udp", "198.51.100.2", 5060))
    first = parsed(lab.sent[-1][1])
    assert isinstance(first, Request)
    [second] = lab.receive(Phone.answer(first, 503))
    assert lab.sent[-1][2].remote == ("198.51.100.2", 5060)
    second_request = parsed(second)
    assert isinstance(second_request, Request)
    assert lab.receive(Phone.answer(second_request, 503, 30)) == []
    same = Lab()
    subscribed(same, "<sip:alice@192.0.2.9:5062;transport=tcp>")
    notify = parsed(same.sent[-1][1])
    assert isinstance(notify, Request) and same.receive(Phone.answer(notify, 503, 30)) == []


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_name_that_leads_nowhere_is_asked_again_later(flow: Flow) -> None:
    """The path of the SUBSCRIBE is there in any case; when there is something new, the name may lead somewhere."""
    lab = trusting()
    phone = Phone(lab, flow=flow)
    phone.contact = NAMED
    phone.subscribe()
    [(data, to)] = looked_up(lab)
    assert to == flow
    phone.take([data])
    lab.run_until(lab.now + 6)  # what is known is too old after five seconds
    assert lab.change("alice", b"<b/>") == []
    assert [flow.remote for _, flow in looked_up(lab, Target("udp", ELSEWHERE, 5060))] == [(ELSEWHERE, 5060)]


@pytest.mark.parametrize("expires", [600, 0])
def test_a_name_that_nobody_answers_for_holds_up_nobody_else(expires: int) -> None:
    lab = trusting()
    phone = Phone(lab)
    phone.contact = NAMED
    assert statuses(phone.subscribe(expires)) == [200]
    assert statuses(Phone(lab, call_id="c2").subscribe()) == [200, "NOTIFY"]
    assert statuses(phone.subscribe()) == ([200] if expires else [481])
    lab.run_until(lab.now + 2000)
    assert not lab.rows and len(lab.notifier) == 0
    [(data, _)] = looked_up(lab, Target("udp", ELSEWHERE, 5060))  # so late, and still its due
    assert b"terminated;reason=timeout" in data


def test_a_fetch_whose_name_leads_nowhere_leaves_nothing() -> None:
    lab = trusting()
    phone = Phone(lab)
    phone.contact = NAMED
    phone.subscribe(0)
    [(data, _)] = looked_up(lab)
    phone.take([data])
    assert lab.notifier.is_quiet
    assert not lab.notifier._delivery.admission._per_source


@pytest.mark.parametrize("moved", [TCP, replace(UDP, remote=("192.0.2.77", 5062)), TLS, UDP6])
def test_a_refresh_from_another_place_moves_the_notifies_there(moved: Flow) -> None:
    """Checklist row 6: RFC 3261 §12.2.2: a target refresh; the address is counted where it subscribed."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.flow, phone.contact = (
        moved,
        f"<sip:alice@{moved.remote[0] if ':' not in moved.remote[0] else '[2001:db8::9]'}>",
    )
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert (lab.sent[-1][2].transport, lab.sent[-1][2].remote[0]) == (moved.transport, moved.remote[0])
    lab.restart()
    lab.change("alice", b"<b/>")
    assert lab.sent[-1][2].remote[0] == moved.remote[0]
    admission = lab.notifier._delivery.admission
    assert sum(admission._per_source.values()) == 1


def test_a_branch_in_the_contact_is_not_mistaken_for_ours() -> None:
    """RFC 3261 §18.4: the failure is noticed whatever the Request-URI holds."""
    lab = Lab()
    subscribed(lab, "<sip:alice@192.0.2.9:5062;branch=z9hG4bKmine;transport=tcp>")
    assert len(lab.fail(lab.sent[-1][1], lab.sent[-1][2])) == 1


def test_a_failed_response_is_nobodys_concern() -> None:
    """RFC 3261 §18.4: the peer asks again."""
    lab = Lab()
    subscribed(lab, "<sip:alice@192.0.2.9:5062>")
    assert lab.fail(lab.sent[0][1], lab.sent[0][2]) == []
    notify = parsed(lab.sent[1][1])
    assert isinstance(notify, Request)
    lab.receive(Phone.answer(notify))
    assert lab.fail(lab.sent[1][1], lab.sent[1][2]) == [] and len(lab.rows) == 1  # nor is one that was answered


@pytest.mark.parametrize("flow", [TCP, TLS, replace(TCP, connection=-1)], ids=["tcp", "tls", "too many wait"])
def test_a_notify_whose_connection_is_lost_before_its_answer_is_sent_anew(flow: Flow) -> None:
    """RFC 3261 §17.1.4: a proxy was restarted. After 32 s the subscription was ended, and its phone knew nothing."""
    lab = Lab()
    phone = Phone(lab, flow=flow)
    phone.subscribe()
    told = lab.change("alice", b"<b/>")
    before = len(lab.sent)
    lab.fail(told[0], flow)
    lab.run_until(lab.now + 1)
    assert lab.since(before) == []  # who ends each connection is not sent one NOTIFY after the other
    lab.change("alice", b"<c/>")
    lab.run_until(lab.now + 2)
    phone.take(lab.since(before))
    assert phone.notifies[-1].body == b"<c/>"
    before = len(lab.sent)
    lab.run_until(lab.now + 500)
    assert len(lab.sent) == before and len(lab.rows) == 1


def test_a_browser_whose_connection_is_lost_is_waited_for() -> None:
    """RFC 7118 §5: there is no way to it."""
    lab = Lab()
    Phone(lab, flow=WSS).subscribe()
    told = lab.change("alice", b"<b/>")
    before = len(lab.sent)
    lab.fail(told[0], WSS)
    lab.run_until(lab.now + 500)
    assert len(lab.sent) == before and len(lab.rows) == 1


def test_503_over_a_stream_is_an_answer_and_no_lost_flow() -> None:
    """Checklist row 17: it is tried again by the clock; a flow that is gone waits for its phone (RFC 5626 §4.3)."""
    lab = Lab()
    phone = Phone(lab, flow=TCP)
    phone.contact = "<sip:alice@192.0.2.9:5062;transport=tcp>"
    phone.subscribe(answer=503)
    before = len(lab.sent)
    lab.run_until(lab.now + 3)
    [again] = lab.since(before)
    phone.take([again])
    told = lab.change("alice", b"<b/>")
    lab.fail(told[0], replace(lab.sent[-1][2], connection=0))
    before = len(lab.sent)
    lab.run_until(lab.now + 500)
    assert len(lab.sent) == before and len(lab.rows) == 1
    phone.take(lab.change("alice", b"<c/>"))
    assert phone.notifies[-1].body == b"<c/>"


def test_what_is_remembered_of_names_and_phones_is_bounded(bound: Bound) -> None:
    bound(lookups, "MAX_REMEMBERED", 3)
    known = lookups.Lookups()
    for number in range(20):
        hop = Hop("sip", f"h{number}.example.net", None, None)
        assert known.find(hop, 0.0) is None and known.answer(hop, [], 0.0) == []
        known.does_not_listen((f"192.0.2.{number}", 5060), 0.0)
        assert known.find(hop, 1.0) == [] and not known.may_listen((f"192.0.2.{number}", 5060), 1.0)
    assert len(known._answers) <= 3 and len(known._silent) <= 3


def test_a_route_that_cannot_be_read_after_an_update_leaves_the_path_of_the_subscribe() -> None:
    """A row of an earlier version may hold what is refused today."""
    lab = Lab()
    Phone(lab).subscribe()
    [row] = lab.rows.values()
    lab.rows[row.id] = row._replace(remote_target="tel:+1")
    lab.restart()
    lab.change("alice", b"<b/>")
    assert lab.sent[-1][2] == UDP


def test_an_answer_for_somebody_else_answers_nothing() -> None:
    """RFC 3261 §18.1.2: the sent-by of the top Via is ours, or the response is dropped."""
    lab = Lab()
    phone = Phone(lab)
    notify = phone.subscribe(answer=None)[1]
    assert isinstance(notify, Request)
    forged = Phone.answer(notify, 481).replace(b"192.0.2.1:5060", b"198.51.100.1:5060")
    assert lab.receive(forged) == [] and len(lab.rows) == 1
    lab.receive(Phone.answer(notify, 481))
    assert not lab.rows


def test_an_answer_that_crosses_its_own_replacement_frees_nothing_twice() -> None:
    lab = Lab(NotifierSettings(notify_in_flight=1))
    phone = Phone(lab)
    phone.subscribe()
    [told] = lab.change("alice", b"<b/>")
    notify = parsed(told)
    assert isinstance(notify, Request)
    phone.subscribe()
    assert lab.receive(Phone.answer(notify, 481)) == [] and len(lab.rows) == 1
    assert len(lab.change("alice", b"<c/>")) == 1


@pytest.mark.parametrize("flow", [UDP, TCP, TLS])
def test_alias_means_nothing_without_a_client_certificate(flow: Flow) -> None:
    """Checklist row 36: RFC 5923 §9.2: as if it were not there."""
    via = f"SIP/2.0/{flow.transport.upper()} 192.0.2.9:7070;branch=z9hG4bK-x;rport"
    sent = [
        subscribed(Lab(), "<sip:alice@192.0.2.9:6060;transport=tcp>", flow, Via=f"{via}{a}") for a in ("", ";alias")
    ]
    assert sent[0] == sent[1]


SCHEMES = ("sip", "sips")
HOSTS = ("192.0.2.9", ELSEWHERE, "127.0.0.1", "0.0.0.0", "224.0.1.75", "[2001:DB8::0:9]", "phone.example.net")
PORTS = ("", ":5060", ":5061", ":5062")
PARAMETERS = ("", ";ob", ";transport=tcp", ";transport=udp", f";maddr={ELSEWHERE}", ";lr")
FLOWS = (UDP, UDP6, HERE, TCP, TLS, WSS)


def test_what_a_glance_says_is_what_the_whole_look_finds() -> None:
    seen = 0
    for *parts, flow, follows in product(SCHEMES, HOSTS, PORTS, PARAMETERS, FLOWS, (False, True)):
        target = "{}:alice@{}{}{}".format(*parts)
        if not leads_back(URI.parse(target), flow, follows=follows):
            continue
        seen += 1
        dialog = Dialog(
            "c", "l", "r", "<sip:alice@example.com>", "<sip:alice@example.com>;tag=r", 0, 1, target, (), False
        )
        held = Subscription(dialog, "alice", "ua-profile", None, flow, "i", flow.source, follows=follows)
        assert flows_to(held, lambda hop: None) == [flow], (target, flow, follows)
    assert seen > 100


@pytest.mark.parametrize("contact", ["<sip:alice@192.0.2.9:5061;transport=tls>", "<sip:alice@[2001:db8::77]:5062>"])
def test_by_whatever_way_it_goes_its_contact_is_that_of_the_2xx(contact: str) -> None:
    """RFC 6665 §3.2: else the phone would refresh at a port, or an address family, where nobody hears it."""
    lab = trusting()
    phone = Phone(lab)
    phone.contact = contact
    ok, notify = phone.subscribe(600, None)
    assert lab.sent[-1][2] != UDP
    assert notify.headers.get("contact") == ok.headers.get("contact") == "<sip:192.0.2.1:5060>"


def test_an_ipv4_address_means_the_same_on_every_link() -> None:
    """Only of IPv6 has each link its own: a phone without DHCP is told where it says that it is."""
    assert subscribed(trusting(), "<sip:a@169.254.7.7:5070>")[1].remote == ("169.254.7.7", 5070)


def test_on_this_machine_others_of_its_addresses_may_be_meant() -> None:
    near = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 5062))
    lab = Lab(access=FakeAccess(proxies={"127.0.0.1"}))
    assert subscribed(lab, "<sip:a@127.0.0.2:5070>", near)[1].remote == ("127.0.0.2", 5070)


def test_a_sips_dialog_whose_name_leads_to_no_tls_is_missed_told_of_and_tried_again() -> None:
    """RFC 3261 §26.2.2: it may not go there in the clear."""
    lab = trusting()
    phone = Phone(lab, flow=TLS)
    phone.target, phone.contact = "sips:alice@example.com", "<sips:alice@phone.example.net>"
    phone.subscribe()
    assert looked_up(lab, Target("udp", ELSEWHERE, 5060)) == []
    [row] = lab.rows.values()
    assert row.delivery == "faulted" and (row.told_at, row.failed_at) == (None, lab.now) and row.told_etag is not None
    assert [event.status for event in lab.happened if isinstance(event, NotifyAnswered)] == [503]
    lab.run_until(lab.now + 10)  # what is known is too old after five seconds
    [(data, flow)] = looked_up(lab, Target("tls", ELSEWHERE, 5061))
    assert data.startswith(b"NOTIFY ") and flow.secure
