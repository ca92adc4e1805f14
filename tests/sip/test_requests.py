"""What is refused, what is answered, and what our own addresses look like (RFC 3261 §8.2, §11, §12.1.1)."""

from dataclasses import replace

import pytest

from gitops_profile.sip import Durations, Flow, NotifierSettings, SubscriptionRefused
from gitops_profile.sip.syntax import URI, Address, EventHeader, Request, Response

from .harness import TCP, UDP, FakePackage, Lab, Phone, parsed, statuses

TLS = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.9", 40001), 8)
WSS = Flow("wss", ("192.0.2.1", 5063), ("192.0.2.9", 40002), 9)


def answer_of(data: bytes, flow: Flow = UDP, lab: Lab | None = None) -> Response:
    """The one answer to a message."""
    answer, *rest = (lab or Lab()).receive(data, flow)
    message = parsed(answer)
    assert isinstance(message, Response) and (message.status == 200 or not rest)
    return message


def with_body(data: bytes, body: bytes, *fields: bytes) -> bytes:
    extra = b"".join(field + b"\r\n" for field in fields)
    return data.replace(b"Content-Length: 0\r\n", extra + b"Content-Length: %d\r\n" % len(body)) + body


def test_a_request_uri_that_is_too_long_is_414() -> None:
    """RFC 3261 §21.4.12."""
    phone = Phone(Lab())
    phone.target = f"sip:{'a' * 3000}@example.com"
    assert answer_of(phone.build()).status == 414
    assert answer_of(phone.build(method="OPTIONS")).status == 414


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((b"Content-Encoding: gzip", b"Content-Type: text/plain"), 415),
        ((b"Content-Encoding: gzip", b"Content-Disposition: render;handling=optional"), 200),
        ((b"Content-Encoding: identity",), 200),
        ((b"Content-Type: text/plain",), 200),
    ],
)
def test_an_encoding_that_would_have_to_be_understood_is_415(fields: tuple[bytes, ...], status: int) -> None:
    """RFC 3261 §8.2.3."""
    answer = answer_of(with_body(Phone(Lab()).build(method="OPTIONS"), b"hello", *fields))
    assert answer.status == status
    assert answer.headers.get("accept-encoding") == "identity"


@pytest.mark.parametrize("method", ["OPTIONS", "SUBSCRIBE"])
def test_a_list_that_cannot_be_read_is_400_and_leaves_nothing(method: str) -> None:
    """RFC 3261 §21.4.1. An OPTIONS with one was answered with 100 only, and kept for ever."""
    lab = Lab()
    phone = Phone(lab)
    assert answer_of(phone.build(method=method, Require='x, "y'), lab=lab).status == 400
    lab.run_until(lab.now + 100)
    assert len(lab.notifier._layer) == 0 and not lab.notifier._layer._merges


def test_a_defect_of_ours_is_answered_500_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()

    def domain(request: Request) -> str:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(lab.package, "domain", domain)
    with pytest.raises(ZeroDivisionError):
        lab.receive(Phone(lab).build())
    lab.pump()
    message = parsed(lab.since(0)[0])
    assert isinstance(message, Response) and message.status == 500
    lab.run_until(lab.now + 100)
    assert len(lab.notifier._layer) == 0


def test_the_body_of_a_subscribe_means_nothing() -> None:
    """RFC 6080 §6.3: the package's rule goes before RFC 3261 §8.2.3."""
    data = with_body(Phone(Lab()).build(), b"\x1f\x8b", b"Content-Encoding: gzip", b"Content-Type: x/y")
    assert answer_of(data).status == 200


@pytest.mark.parametrize("dialog", [False, True])
def test_options_says_what_we_can_in_and_out_of_a_dialog(dialog: bool) -> None:
    """Checklist row 27: RFC 3261 §11.2, RFC 6665 §4.4.4."""
    lab = Lab()
    phone = Phone(lab)
    if dialog:
        phone.subscribe()
    answer = answer_of(phone.build(method="OPTIONS"), lab=lab)
    assert answer.status == 200
    for name in ("allow", "accept", "accept-encoding", "accept-language", "allow-events"):
        assert answer.headers.get(name)
    assert answer.headers.get("supported") is not None
    assert "SUBSCRIBE" in answer.headers.items("allow") and answer.headers.items("allow-events") == ["ua-profile"]


def test_options_in_a_dialog_uses_a_cseq_up_and_must_name_one() -> None:
    """Checklist rows 20, 24, 27: RFC 3261 §12.2.2: for any request in a dialog."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.cseq = 7
    assert answer_of(phone.build(method="OPTIONS"), lab=lab).status == 200
    phone.cseq = 4
    assert statuses(phone.subscribe()) == [500]
    phone.cseq = 20
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    phone.to_tag = "bogus"
    assert answer_of(phone.build(method="OPTIONS"), lab=lab).status == 481


def test_an_equal_cseq_that_is_no_repetition_is_out_of_order() -> None:
    """Checklist row 20: RFC 3261 §12.2.2."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.cseq -= 1
    data = phone.build(Via="SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK-another;rport")
    assert answer_of(data, lab=lab).status == 500


def test_two_event_fields_name_no_event() -> None:
    """Checklist row 10: RFC 6665 §8.2.1."""
    data = Phone(Lab()).build().replace(b"Event: ua-profile", b"Event: ua-profile\r\no: presence")
    answer = answer_of(data)
    assert answer.status == 489 and answer.headers.get("allow-events") == "ua-profile"


@pytest.mark.parametrize(("wrong", "status"), [(b"ua-profile", 489), (b"1 SUBSCRIBE", 400)])
def test_without_rport_a_refusal_goes_to_the_port_of_the_via(wrong: bytes, status: int) -> None:
    """RFC 3261 §18.2.2: whatever is wrong with the rest."""
    lab = Lab()
    data = Phone(lab).build(Via="SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKa").replace(wrong, b"1 INVITE")
    flow = Flow("udp", UDP.local, ("192.0.2.9", 41000))
    assert answer_of(data, flow, lab).status == status
    assert lab.sent[-1][2].remote == ("192.0.2.9", 5062)


def test_two_contacts_or_none_make_no_dialog() -> None:
    """RFC 3261 §8.1.1.8."""
    for contact in (None, "<sip:a@192.0.2.9>, <sip:b@192.0.2.9>", "<tel:+1>", "*"):
        phone = Phone(Lab())
        assert answer_of(phone.build(Contact=contact)).status == 400


def test_a_refresh_without_a_contact_keeps_the_target() -> None:
    """RFC 6665 §4.3 asks for one; phones that leave it out have not moved."""
    phone = Phone(Lab())
    phone.subscribe()
    assert statuses(phone.subscribe(Contact=None)) == [200, "NOTIFY"]
    assert phone.notifies[1].uri == phone.notifies[0].uri


@pytest.mark.parametrize("instance", ["", "node-1"])
@pytest.mark.parametrize("flow", [UDP, TCP, TLS, WSS, Flow("udp", ("2001:db8::1", 5060), ("2001:db8::9", 5062))])
def test_our_contact_reaches_this_server_and_says_so(instance: str, flow: Flow) -> None:
    """RFC 6665 §4.5.1: a GRUU as the local target, the same in the 200 and in every NOTIFY; RFC 5627."""
    lab = Lab(NotifierSettings(instance=instance))
    phone = Phone(lab, flow=flow)
    phone.contact = "<sip:alice@192.0.2.9:5062;ob>"
    ok, notify = phone.subscribe()
    assert ok.headers.get("contact") == notify.headers.get("contact")
    uri = URI.parse(Address.parse(ok.headers.get("contact") or "").uri)
    assert (uri.host.strip("[]"), uri.port) == flow.local and uri.parameters.get("gr") == (instance or None)
    expected = {"udp": None, "tcp": "tcp", "tls": "tls", "wss": "ws"}[flow.transport]
    assert uri.parameters.get("transport") == expected
    phone.target = str(uri)
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]


SIPS = [
    ("sips:alice@example.com", "<sip:alice@192.0.2.9>", None),
    ("sip:alice@example.com", "<sips:alice@192.0.2.9>", None),
    ("sip:alice@example.com", "<sip:alice@192.0.2.9>", "<sips:192.0.2.9;lr>, <sip:p2.example.com;lr>"),
]


@pytest.mark.parametrize(("target", "contact", "routes"), SIPS)
@pytest.mark.parametrize("flow", [TLS, WSS])
def test_a_sips_dialog_has_a_sips_contact_and_stays_on_tls(
    target: str, contact: str, routes: str | None, flow: Flow
) -> None:
    """Checklist row 35: RFC 3261 §12.1.1: by Request-URI, by the top Record-Route, or without one by the Contact."""
    lab = Lab()
    phone = Phone(lab, flow=flow)
    phone.target, phone.contact = target, contact
    seen = phone.subscribe(Record_Route=routes)
    assert statuses(seen) == [200, "NOTIFY"]
    for message in seen:
        assert (message.headers.get("contact") or "").startswith("<sips:")
    assert lab.sent[-1][2].secure
    lab.restart()
    phone.take(lab.change("alice", b"<b/>"))
    assert phone.notifies[-1].body == b"<b/>" and lab.sent[-1][2].secure
    phone.target = "sip:alice@example.com"
    phone.flow, phone.contact = UDP, "<sip:alice@192.0.2.9:5062>"
    assert statuses(phone.subscribe()) == [403]
    phone.take(lab.change("alice", b"<c/>"))
    assert lab.sent[-1][2].secure


@pytest.mark.parametrize(("target", "contact", "routes"), SIPS)
@pytest.mark.parametrize("flow", [UDP, TCP])
def test_sips_in_the_clear_is_refused(target: str, contact: str, routes: str | None, flow: Flow) -> None:
    """Checklist row 35: RFC 3261 §26.2.2: no NOTIFY for a SIPS URI may go in the clear."""
    lab = Lab()
    phone = Phone(lab, flow=flow)
    phone.target, phone.contact = target, contact
    assert statuses(phone.subscribe(Record_Route=routes)) in ([400], [416]) and len(lab.rows) == 0


def test_a_refresh_does_not_make_sips_of_a_dialog_in_the_clear() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.contact = "<sips:alice@192.0.2.9>"
    assert statuses(phone.subscribe()) == [400]
    phone.take(lab.change("alice", b"<b/>"))
    assert phone.notifies[-1].uri == "sip:alice@192.0.2.9:5062"


def test_a_sip_dialog_over_tls_is_no_sips_dialog() -> None:
    phone = Phone(Lab(), flow=TLS)
    phone.contact = "<sip:alice@192.0.2.9;transport=tls>"
    seen = phone.subscribe(Record_Route="<sip:192.0.2.9;transport=tls;lr>, <sips:p2.example.com;lr>")
    assert (seen[0].headers.get("contact") or "").startswith("<sip:")


def test_a_sips_notify_never_falls_back_to_udp() -> None:
    """Checklist row 35: when TLS fails there is no other way."""
    lab = Lab()
    phone = Phone(lab, flow=TLS)
    phone.target, phone.contact = "sips:alice@example.com", "<sips:alice@192.0.2.9:5061>"
    phone.subscribe(answer=None)
    lab.fail(lab.sent[-1][1], replace(lab.sent[-1][2], connection=0))
    lab.run_until(lab.now + 599)
    assert all(flow.secure for _, _, flow in lab.sent) and len(lab.rows) == 1


def test_a_subscribe_without_a_from_tag_has_a_null_remote_tag() -> None:
    """RFC 3261 §12.1.1."""
    lab = Lab()
    phone = Phone(lab)
    assert statuses(phone.subscribe(From="<sip:alice@example.com>")) == [200, "NOTIFY"]
    assert phone.notifies[0].to.tag is None
    assert statuses(phone.subscribe(From="<sip:alice@example.com>")) == [200, "NOTIFY"]
    assert statuses(phone.subscribe()) == [481]


def test_a_sender_without_a_scheme_is_one_and_a_contact_without_one_is_none() -> None:
    """RFC 6080 §7.1 writes so."""
    phone = Phone(Lab())
    assert statuses(phone.subscribe(From="anonymous@example.com;tag=1234")) == [200, "NOTIFY"]
    assert phone.notifies[0].headers.get("to") == "anonymous@example.com;tag=1234"
    assert statuses(Phone(Lab()).subscribe(Contact="alice@192.0.2.9")) == [400]
    assert statuses(Phone(Lab()).subscribe(Record_Route="proxy@192.0.2.9;lr")) == [400]


@pytest.mark.parametrize(
    "who", ["<sip:anonymous@anonymous.invalid>;tag=x", '"Anonymous" <sip:c8oqz84zk7z@privacy.org>;tag=x']
)
def test_an_anonymous_sender_is_as_good_as_any(who: str) -> None:
    """Checklist row 57: RFC 6080 §5.1.4.1."""
    phone = Phone(Lab())
    assert statuses(phone.subscribe(From=who)) == [200, "NOTIFY"]
    assert phone.notifies[0].headers.get("to") == who


def test_notifies_of_one_change_reach_a_thousand_phones_once_each() -> None:
    """Checklist row 44: RFC 6080 §5.1.3."""
    lab = Lab()
    phones = {f"c{number}": Phone(lab, call_id=f"c{number}", flow=TCP) for number in range(1000)}
    for phone in phones.values():
        phone.subscribe()
    before = len(lab.sent)
    lab.change("alice", b"<b/>")
    while not lab.notifier.is_quiet:
        told = [m for m in map(parsed, lab.since(before)) if isinstance(m, Request)]
        before = len(lab.sent)
        for notify in told:
            assert notify.body == b"<b/>"
            phones[notify.call_id].notifies.append(notify)
            lab.receive(Phone.answer(notify), TCP)
        lab.run_until(lab.now + 0.1)
    assert all(len(phone.notifies) == 2 for phone in phones.values())
    assert lab.change("alice", b"<b/>") == []


def test_the_forks_that_a_phone_does_not_want_go_quietly() -> None:
    """Checklist row 58: RFC 6080 §6.9: three servers get one SUBSCRIBE; the phone keeps the first."""
    labs = [Lab() for _ in range(3)]
    for number, lab in enumerate(labs):
        Phone(lab).subscribe(answer=200 if number == 0 else 481)
        lab.run_until(lab.now + 100)
    assert [len(lab.rows) for lab in labs] == [1, 0, 0]
    assert [len(lab.sent) for lab in labs] == [2, 2, 2]


def test_a_message_above_the_bound_is_513() -> None:
    """RFC 3261 §21.5.7; invariant I9."""
    lab = Lab(NotifierSettings(message_bytes=400))
    phone = Phone(lab)
    assert answer_of(with_body(phone.build(), b"x" * 400, b"Content-Type: text/plain"), lab=lab).status == 513
    assert not lab.rows and statuses(phone.subscribe(Max_Forwards=None)) == [200, "NOTIFY"]


class Elsewhere(FakePackage):
    """Knows its domain, or not."""

    def domain(self, request: Request) -> str:
        if "example.com" not in request.uri:
            raise SubscriptionRefused(404, "Not Found")
        return "example.com"


def test_a_domain_that_is_none_of_ours_is_refused_as_the_package_says() -> None:
    phone = Phone(Lab(package=Elsewhere()))
    phone.target = "sip:alice@elsewhere.example"
    assert statuses(phone.subscribe()) == [404]


class Starting(FakePackage):
    def resource(self, request: Request, event: EventHeader) -> str:
        raise SubscriptionRefused(503, "Not yet")


def test_who_comes_before_there_is_anything_to_serve_is_told_when_to_come_again() -> None:
    """RFC 3261 §21.5.4: without Retry-After a 503 is a 500."""
    lab = Lab(package=Starting())
    answer = answer_of(Phone(lab).build(), lab=lab)
    assert answer.status == 503 and answer.headers.get("retry-after") == "10"


def test_more_proxies_than_a_dialog_keeps_are_400() -> None:
    routes = ", ".join(["<sip:192.0.2.9;lr>"] * 33)
    assert statuses(Phone(Lab()).subscribe(Record_Route=routes)) == [400]


def test_a_header_that_is_neither_needed_nor_readable_is_copied_into_a_refusal() -> None:
    """RFC 3261 §8.2.6.2: a 400 to what cannot be read carries what there is."""
    for via in ("nonsense", "SIP/2.0/UDP 192.0.2.9;branch="):
        for answer in Lab().receive(Phone(Lab()).build(Via=via, Call_ID=None)):
            assert answer.startswith(b"SIP/2.0 400 ") and via.encode() in answer
    data = Phone(Lab()).build().replace(b"Via: ", b"X-Via: ")
    assert Lab().receive(data) == []  # nobody knows where to


def test_the_rate_of_changes_is_kept_and_the_rest_follows_in_its_time() -> None:
    """design.md section 7: `notify.rate`."""
    lab = Lab(NotifierSettings(notify_rate=10))
    for number in range(30):
        Phone(lab, call_id=f"c{number}", flow=replace(TCP, remote=("192.0.2.9", 30_000 + number))).subscribe()
    start = lab.now
    assert len(lab.change("alice", b"<b/>")) < 5
    lab.run_until(start + 1)
    assert 9 <= sum(b"<b/>" in data for _, data, _ in lab.sent) <= 13
    lab.run_until(start + 4)
    assert sum(b"<b/>" in data for _, data, _ in lab.sent) == 30


@pytest.mark.parametrize(("maximum", "granted"), [(604800, "86400"), (7200, "7200")])
def test_without_expires_a_day_is_meant_and_no_more_than_the_maximum(maximum: int, granted: str) -> None:
    """Checklist row 4: RFC 6080 §6.4: the package's default, where the settings do not say another."""
    lab = Lab(NotifierSettings(durations=Durations(default=86400, maximum=maximum)))
    assert answer_of(Phone(lab).build(None), lab=lab).headers.get("expires") == granted


@pytest.mark.parametrize(("asked", "granted"), [("9" * 5000, "86400"), ("0" * 5000 + "600", "600")])
def test_an_expires_of_any_length_is_a_number(asked: str, granted: str) -> None:
    lab = Lab()
    assert answer_of(Phone(lab).build(None, Expires=asked), lab=lab).headers.get("expires") == granted


def test_a_fetch_that_is_sent_again_after_its_notify_was_answered_gets_the_same_200() -> None:
    lab = Lab()
    phone = Phone(lab)
    data = phone.build(0)
    first, _ = phone.send(data)
    assert [parsed(again).headers.fields for again in lab.receive(data)] == [first.headers.fields]


def test_a_datagram_of_64_kilobytes_is_read() -> None:
    """Checklist row 30: RFC 3261 §18.1.1."""
    lab = Lab()
    data = Phone(lab).build()
    body = b"x" * (65_507 - len(data) - len("Content-Type: text/plain\r\n") - 4)
    data = with_body(data, body, b"Content-Type: text/plain")
    assert len(data) == 65_507 and answer_of(data, lab=lab).status == 200


@pytest.mark.parametrize(
    ("flow", "below", "protected"),
    [
        (TLS, (), True), (WSS, (), True), (UDP, (), False), (TCP, (), False), (TLS, ("TLS", "WSS"), True),
        (TLS, ("UDP",), False), (TLS, ("TLS", "TCP"), False), (WSS, ("WS",), False),
    ],
)  # fmt: skip
def test_a_way_is_protected_when_each_hop_of_it_is(flow: Flow, below: tuple[str, ...], protected: bool) -> None:
    """Checklist row 42: RFC 6080 §5.2.1. A phone that came to its edge in the clear is answered in the clear there."""
    lab = Lab()
    phone = Phone(lab, flow=flow)
    vias = [f"SIP/2.0/{flow.transport.upper()} 192.0.2.9:5062;branch=z9hG4bKa"]
    vias += [f"SIP/2.0/{transport} 10.1.1.1;branch=z9hG4bKb" for transport in below]
    phone.subscribe(Via=", ".join(vias))
    (held,) = lab.notifier.subscriptions()
    assert held.audience.secure is protected
    phone.subscribe(Via=", ".join(vias).replace("z9hG4bKa", "z9hG4bKc"))
    assert held.audience.secure is protected
