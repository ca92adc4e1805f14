"""The notifier as its RFCs say, in virtual time."""

import pytest

from gitops_profile.sip import Flow, NotifierSettings, OpenAccess, Refused
from gitops_profile.sip.subscribe import Durations
from gitops_profile.sip.syntax import Request, Response

from .harness import PHONE, TCP, UDP, FakePackage, Lab, Phone, parsed, statuses


def final(messages: list[Request | Response]) -> Response:
    return next(m for m in messages if isinstance(m, Response))


def test_subscribe_gets_200_then_notify_in_one_dialog() -> None:
    """Checklist rows 1, 2, 3, 14: RFC 6665 §4.2.1.2, §3.1.1, RFC 3261 §12.1.1."""
    phone = Phone(Lab())
    seen = phone.subscribe(100000, Record_Route="<sip:p1.example.com;lr>, <sip:p2.example.com;lr>")
    assert statuses(seen) == [200, "NOTIFY"]
    ok, notify = final(seen), phone.notifies[0]
    assert ok.headers.get("expires") == "86400"  # never more than the maximum
    assert ok.headers.all("record-route") == ["<sip:p1.example.com;lr>, <sip:p2.example.com;lr>"]
    assert ok.headers.get("contact") and ok.headers.get("event") is None
    assert notify.from_.tag == phone.to_tag and notify.to.tag == "phone" and notify.call_id == "call-1"
    assert notify.headers.items("route") == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]
    assert notify.headers.get("event") == "ua-profile" and notify.cseq == 1 and notify.body == b"<a/>"
    assert notify.headers.get("subscription-state") == "active;expires=86400"
    assert notify.headers.get("sip-etag")


def test_nothing_leaves_before_the_subscription_is_durable() -> None:
    lab = Lab()
    lab.holding = []
    assert lab.receive(Phone(lab).build()) == []
    batch = lab.holding.pop()
    lab.holding = None
    lab.finish(batch)
    lab.pump()
    assert [parsed(data).__class__ for _, data, _ in lab.sent] == [Response, Request]


def test_a_store_that_fails_acknowledges_nothing_and_keeps_nothing() -> None:
    lab = Lab()
    lab.store_works = False
    phone = Phone(lab)
    assert statuses(phone.subscribe()) == [503]
    assert len(lab.notifier) == 0 and not lab.rows
    lab.store_works = True
    phone.call_id, phone.to_tag = "call-2", None
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]


def test_a_change_that_could_not_be_stored_is_told_later() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    lab.store_works = False
    assert lab.change("alice", b"<b/>") == []
    lab.store_works = True
    before = len(lab.sent)
    lab.run_until(lab.now + 10)
    assert [parsed(data).body for _, data, _ in lab.sent[before:]][0] == b"<b/>"


@pytest.mark.parametrize(("asked", "status"), [(0, 200), (1, 423), (59, 423), (60, 200), (3599, 200), (3600, 200)])
def test_423_only_below_the_minimum_and_never_for_a_fetch(asked: int, status: int) -> None:
    """Checklist row 9: RFC 6665 §4.2.1.1."""
    answer = final(Phone(Lab()).subscribe(asked))
    assert answer.status == status
    assert answer.headers.get("min-expires") == ("60" if status == 423 else None)


@pytest.mark.parametrize(("asked", "status"), [(3599, 423), (3600, 200)])
def test_423_never_for_an_hour_or_more(asked: int, status: int) -> None:
    """Checklist row 9: RFC 6665 §4.2.1.1."""
    lab = Lab(NotifierSettings(durations=Durations(minimum=7200)))
    assert final(Phone(lab).subscribe(asked)).status == status


@pytest.mark.parametrize("text", [None, "abc", "-1", ""])
def test_missing_or_malformed_expires_is_the_default(text: str | None) -> None:
    """Checklist row 4: RFC 6080 §6.4, with a default of our own."""
    assert final(Phone(Lab()).subscribe(None, Expires=text)).headers.get("expires") == "3600"


def test_fetch_leaves_no_state() -> None:
    """Checklist rows 5, 14: RFC 6665 §4.4.3."""
    lab = Lab()
    phone = Phone(lab)
    seen = phone.subscribe(0)
    assert statuses(seen) == [200, "NOTIFY"] and final(seen).headers.get("expires") == "0"
    assert phone.notifies[0].headers.get("subscription-state") == "terminated;reason=timeout"
    assert phone.notifies[0].body == b"<a/>"
    assert len(lab.notifier) == 0 and not lab.rows
    assert statuses(phone.subscribe()) == [481]


def test_refresh_notifies_again_and_does_not_lengthen() -> None:
    """Checklist row 6: RFC 6665 §4.2.1.4."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    lab.now += 100
    seen = phone.subscribe(300)
    assert statuses(seen) == [200, "NOTIFY"] and final(seen).headers.get("expires") == "300"
    assert [n.cseq for n in phone.notifies] == [1, 2]
    assert phone.notifies[1].headers.get("subscription-state") == "active;expires=300"


def test_unsubscribe_ends_with_a_last_notify_then_481() -> None:
    """Checklist row 7: RFC 6665 §4.2.1.4."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    assert statuses(phone.subscribe(0)) == [200, "NOTIFY"]
    assert phone.notifies[-1].headers.get("subscription-state") == "terminated;reason=timeout"
    assert not lab.rows
    assert statuses(phone.subscribe()) == [481]
    assert lab.change("alice", b"<b/>") == []


def test_expiry_ends_with_timeout() -> None:
    """Checklist rows 8, 14: RFC 6665 §4.2.1.4."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    before = len(lab.sent)
    lab.run_until(lab.now + 603)
    notify = parsed(lab.sent[before][1])
    assert isinstance(notify, Request) and notify.headers.get("subscription-state") == "terminated;reason=timeout"
    assert not lab.rows


def test_refresh_moves_the_expiry() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    lab.run_until(lab.now + 500)
    phone.subscribe(600)
    before = len(lab.sent)
    lab.run_until(lab.now + 599)
    assert len(lab.sent) == before
    lab.run_until(lab.now + 4)
    assert len(lab.sent) > before


def test_change_is_told_once_and_only_when_the_etag_differs() -> None:
    """Checklist rows 44, 50: RFC 6080 §5.1.3."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", b"<b/>"))
    assert [n.body for n in phone.notifies] == [b"<a/>", b"<b/>"]
    assert lab.change("alice", b"<b/>") == []
    assert lab.change("carol", b"<c/>") == []


def test_newest_state_wins_while_a_notify_is_unanswered() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    first = lab.change("alice", b"<b/>")
    assert lab.change("alice", b"<c/>") == [] and lab.change("alice", b"<d/>") == []
    phone.take(first)
    assert [n.body for n in phone.notifies] == [b"<a/>", b"<b/>", b"<d/>"]


def test_changed_back_while_unanswered_is_told_because_the_phone_may_have_the_other() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    first = lab.change("alice", b"<b/>")
    lab.change("alice", b"<a/>")
    phone.take(first)
    assert phone.notifies[-1].body == b"<a/>"


def test_removed_document_gives_an_empty_notify_and_the_return_a_full_one() -> None:
    """Checklist row 45: RFC 6080 §6.8."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", None))
    assert phone.notifies[-1].body == b"" and phone.notifies[-1].headers.get("content-length") == "0"
    assert phone.notifies[-1].headers.get("subscription-state") is not None
    phone.take(lab.change("alice", b"<a/>"))
    assert phone.notifies[-1].body == b"<a/>"


def test_removed_document_ends_the_subscription_when_policy_says_so() -> None:
    """Checklist row 62: RFC 6665 §4.1.3."""
    lab = Lab(NotifierSettings(end_removed=True))
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", None))
    assert phone.notifies[-1].headers.get("subscription-state") == "terminated;reason=noresource"
    assert not lab.rows


def test_unanswered_notify_is_sent_at_the_offsets_of_timer_e_then_the_subscription_goes() -> None:
    """Checklist row 18: RFC 3261 §17.1.2.2, RFC 6665 §4.2.2."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    start = lab.now
    lab.change("alice", b"<b/>")
    lab.run_until(start + 100)
    times = [at - start for at, data, _ in lab.sent if data.startswith(b"NOTIFY") and b"<b/>" in data]
    assert times == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]  # RFC 3261 §17.1.2.2
    assert not lab.rows and len(lab.notifier) == 0


def test_over_a_stream_nothing_is_repeated() -> None:
    lab = Lab()
    phone = Phone(lab, flow=TCP)
    phone.subscribe()
    lab.change("alice", b"<b/>")
    lab.run_until(lab.now + 100)
    assert sum(b"<b/>" in data for _, data, _ in lab.sent) == 1 and not lab.rows


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
def test_answers_that_end_a_subscription(status: int) -> None:
    """Checklist row 16: RFC 6665 §4.2.2."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", b"<b/>"), status)
    assert not lab.rows and len(lab.notifier) == 0
    assert lab.change("alice", b"<c/>") == []
    assert statuses(phone.subscribe()) == [481]


@pytest.mark.parametrize("status", [400, 403, 406, 413, 415, 420, 500, 502, 503, 504, 513, 600, 603, 302])
def test_answers_that_keep_a_subscription(status: int) -> None:
    """Checklist row 17: RFC 6665 §4.2.2, RFC 3261 §20.33."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", b"<b/>"), status, retry_after=30)
    assert len(lab.rows) == 1
    before = len(lab.sent)
    lab.run_until(lab.now + 29)
    assert len(lab.sent) == before  # Retry-After is kept
    lab.run_until(lab.now + 2)
    assert b"<b/>" in lab.sent[before][1]


def test_a_change_is_tried_at_once_after_a_failure() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", b"<b/>"), 500)
    assert b"<c/>" in lab.change("alice", b"<c/>")[0]


def test_retransmission_gets_the_same_bytes_and_no_second_subscription() -> None:
    """Checklist row 21: RFC 3261 §17.2.2."""
    lab = Lab()
    phone = Phone(lab)
    data = phone.build()
    first = lab.receive(data)
    again = lab.receive(data)
    assert again == [first[0]] and len(lab.notifier) == 1
    lab.now += 31
    assert lab.receive(data) == [first[0]]


def test_retransmission_without_branch_is_recognised() -> None:
    """Checklist row 22: RFC 3261 §17.2.3."""
    lab = Lab()
    data = Phone(lab).build(Via="SIP/2.0/UDP 192.0.2.9:5062;rport", Max_Forwards=None)
    first = lab.receive(data)
    assert lab.receive(data) == [first[0]] and len(lab.notifier) == 1


def test_merged_request_is_482() -> None:
    """Checklist row 23: RFC 3261 §8.2.2.2."""
    lab = Lab()
    phone = Phone(lab)
    lab.receive(phone.build())
    phone.cseq = 0
    other = phone.build(Via="SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKother;rport")
    assert statuses([parsed(d) for d in lab.receive(other)]) == [482]


def test_in_dialog_cseq_must_rise() -> None:
    """Checklist row 20: RFC 3261 §12.2.2."""
    lab = Lab()
    phone = Phone(lab)
    phone.cseq = 9
    phone.subscribe()
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    phone.cseq = 4
    assert statuses(phone.subscribe()) == [500]
    phone.cseq = 50
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]


def test_foreign_tags_and_call_ids_are_481() -> None:
    """Checklist row 24: RFC 3261 §12.2.2."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    tag = phone.to_tag
    assert statuses(phone.subscribe(From="<sip:alice@example.com>;tag=bogus")) == [481]
    phone.to_tag = "bogus"
    assert statuses(phone.subscribe()) == [481]
    phone.to_tag, phone.call_id = tag, "other"
    assert statuses(phone.subscribe()) == [481]


@pytest.mark.parametrize("event", [None, "presence", "UA-profile", "ua-profile.winfo", "<>"])
def test_unknown_or_missing_event_is_489_with_allow_events(event: str | None) -> None:
    """Checklist rows 10, 11: RFC 6665 §4.2.1.1, §4.2.3, §8.2.1."""
    answer = final(Phone(Lab()).subscribe(Event=event))
    assert answer.status == 489 and answer.headers.get("allow-events") == "ua-profile"


def test_event_id_is_echoed_and_must_match() -> None:
    """Checklist rows 15, 46: RFC 6665 §4.5.2; nothing else of Event comes back (RFC 6080 §6.2)."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(Event='ua-profile;id=7;vendor="v.example.com"')
    assert phone.notifies[0].headers.get("event") == "ua-profile;id=7"
    assert statuses(phone.subscribe()) == [403]
    assert statuses(phone.subscribe(Event="ua-profile;id=7")) == [200, "NOTIFY"]


def test_not_acceptable_is_406() -> None:
    """Checklist row 12: RFC 6665 §4.1.2.1."""
    assert statuses(Phone(Lab()).subscribe(Accept="image/png")) == [406]


def test_unknown_require_is_420() -> None:
    """Checklist row 25: RFC 3261 §8.2.2.3."""
    answer = final(Phone(Lab()).subscribe(Require="foo, bar"))
    assert answer.status == 420 and answer.headers.get("unsupported") == "foo, bar"


@pytest.mark.parametrize(
    ("method", "status"), [("INVITE", 405), ("REGISTER", 405), ("PUBLISH", 405), ("NOTIFY", 405), ("FOO", 501)]
)
def test_other_methods(method: str, status: int) -> None:
    """Checklist row 26: RFC 3261 §8.2.1."""
    answer = final(Phone(Lab()).send(Phone(Lab()).build(method=method)))
    assert answer.status == status and "SUBSCRIBE" in (answer.headers.get("allow") or "")


def test_refused_invite_is_repeated_until_its_ack() -> None:
    lab = Lab()
    phone = Phone(lab)
    lab.receive(phone.build(method="INVITE"))
    lab.run_until(lab.now + 2)
    sent = len(lab.sent)
    assert sent == 3  # Timer G: 0, 0.5, 1.5
    phone.cseq -= 1
    assert lab.receive(phone.build(method="ACK")) == []
    lab.run_until(lab.now + 40)
    assert len(lab.sent) == sent


def test_options_says_what_we_can() -> None:
    """Checklist row 27: RFC 3261 §11.2."""
    answer = final(Phone(Lab()).send(Phone(Lab()).build(method="OPTIONS")))
    assert answer.status == 200 and answer.headers.get("allow-events") == "ua-profile"


def test_cancel_changes_nothing() -> None:
    """Checklist row 60: RFC 6665 §4.6."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    cancel = phone.build(method="CANCEL", Via="SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK-call-1-1;rport")
    assert statuses(phone.send(cancel.replace(b";tag=t0", b""))) == [200]
    assert len(lab.rows) == 1
    assert statuses(phone.send(phone.build(method="CANCEL"))) == [481]


@pytest.mark.parametrize("method", ["SUBSCRIBE", "INVITE", "REGISTER", "PUBLISH", "MESSAGE", "NOTIFY"])
def test_a_cancel_is_answered_200_with_the_to_tag_of_what_it_names(method: str) -> None:
    """RFC 3261 §9.2: regardless of the method, and of a second path by which the same request came."""
    lab = Lab()
    phone = Phone(lab)
    first = phone.build(method=method)
    second = first.replace(b"branch=z9hG4bK", b"branch=z9hG4bKother")
    for data in (first, second):
        answer = parsed(lab.receive(data)[0])
        cancelled = parsed(lab.receive(data.replace(method.encode() + b" sip", b"CANCEL sip").replace(
            b"1 " + method.encode(), b"1 CANCEL"
        ))[0])  # fmt: skip
        assert isinstance(cancelled, Response) and cancelled.status == 200
        assert cancelled.headers.get("to") == answer.headers.get("to")


def test_restart_goes_on_where_it_was() -> None:
    """Checklist row 19: RFC 3261 §12.2.1.1."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    lab.sent.clear()
    lab.restart()
    assert lab.sent == []  # nobody is told twice
    lab.package.documents["alice"] = b"<b/>"
    lab.restart()
    phone.take([data for _, data, _ in lab.sent])
    assert [n.cseq for n in phone.notifies] == [1, 2] and phone.notifies[1].body == b"<b/>"
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert phone.notifies[-1].cseq == 3


def test_unanswered_before_the_crash_is_told_again_with_a_new_cseq() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", b"<b/>"), answer=None)
    lab.package.documents["alice"] = b"<a/>"  # reverted while down: the phone may hold <b/>
    lab.sent.clear()
    lab.restart()
    phone.take([data for _, data, _ in lab.sent])
    assert [n.cseq for n in phone.notifies] == [1, 2, 3] and phone.notifies[-1].body == b"<a/>"


def test_notify_goes_to_the_contact_only_on_the_host_it_came_from() -> None:
    """Checklist row 65: RFC 6665 §6.3."""
    lab = Lab()
    phone = Phone(lab)
    phone.contact = "<sip:alice@192.0.2.9:9999>"
    phone.subscribe()
    assert lab.sent[-1][2].remote == ("192.0.2.9", 9999)
    other = Phone(lab, call_id="call-2")
    other.contact = "<sip:victim@198.51.100.7:5060>"
    other.subscribe()
    assert lab.sent[-1][2].remote == UDP.remote  # RFC 6665 §6.3: no reflector


def test_strict_router_gets_the_request_uri() -> None:
    """Checklist row 37: RFC 3261 §12.2.1.1."""
    phone = Phone(Lab())
    phone.subscribe(Record_Route="<sip:strict.example.com>")
    notify = phone.notifies[0]
    assert notify.uri == "sip:strict.example.com"
    assert notify.headers.items("route") == ["<sip:alice@192.0.2.9:5062>"]


def test_a_record_route_without_brackets_is_the_uri_that_it_would_be_with_them() -> None:
    phone = Phone(Lab())
    seen = phone.subscribe(Record_Route="sip:192.0.2.9:5070;lr;did=7, <sip:p2.example.com;lr>;x")
    assert seen[0].headers.all("record-route") == ["sip:192.0.2.9:5070;lr;did=7, <sip:p2.example.com;lr>;x"]
    notify = phone.notifies[0]
    assert notify.uri == "sip:alice@192.0.2.9:5062" and phone.lab.sent[-1][2].remote == ("192.0.2.9", 5070)
    assert notify.headers.items("route") == ["<sip:192.0.2.9:5070;lr;did=7>", "<sip:p2.example.com;lr>;x"]


def test_response_goes_to_sent_by_port_without_rport_and_to_the_source_with_it() -> None:
    """Checklist row 28: RFC 3261 §18.2, RFC 3581."""
    lab = Lab()
    source = Flow("udp", UDP.local, ("192.0.2.9", 40000))
    lab.receive(Phone(lab).build(Via="SIP/2.0/UDP 203.0.113.1:5070;branch=z9hG4bKx"), source)
    assert lab.sent[0][2].remote == ("192.0.2.9", 5070) and b";received=192.0.2.9" in lab.sent[0][1]
    lab.receive(Phone(lab, call_id="c2").build(Via="SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bKy"), source)
    answer = next((d, f) for _, d, f in lab.sent[1:] if d.startswith(b"SIP/2.0 200"))
    assert answer[1].remote == ("192.0.2.9", 40000) and b";rport=40000" in answer[0]


@pytest.mark.parametrize(
    ("source", "port"), [(("198.51.100.7", 40000), 40000), (("10.0.0.1", 40000), 5070), (("127.0.0.1", 40000), 5070)]
)
def test_without_rport_a_private_sent_by_of_another_address_shows_a_nat(source: tuple[str, int], port: int) -> None:
    """phones.md 2, Yealink: the letter of RFC 3261 §18.2.2 leads nowhere there. On loopback there is no NAT."""
    lab = Lab()
    local = "127.0.0.1" if source[0] == "127.0.0.1" else "192.0.2.1"
    via = "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx"
    lab.receive(Phone(lab).build(Via=via), Flow("udp", (local, 5060), source))
    assert lab.sent[0][2].remote == (source[0], port)


def test_a_request_that_made_nothing_may_come_again_with_its_cseq() -> None:
    """Some phones try again after 401 or 423 without counting up; only what was made once must not be made twice."""
    lab = Lab()
    phone = Phone(lab)
    assert statuses(phone.subscribe(5)) == [423]
    phone.cseq -= 1
    assert statuses(phone.subscribe(Via="SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK-next")) == [200, "NOTIFY"]


def test_bounds_answer_503_with_retry_after() -> None:
    lab = Lab(NotifierSettings(max_per_source=1))
    Phone(lab).subscribe()
    answer = final(Phone(lab, call_id="call-2").subscribe())
    assert answer.status == 503 and answer.headers.get("retry-after")


def test_what_fits_no_datagram_and_finds_no_other_way_is_told_without_its_body() -> None:
    """Checklist row 29: RFC 3261 §18.1.1."""
    lab = Lab(package=FakePackage({"alice": b"x" * 70000}))
    phone = Phone(lab)
    phone.subscribe(answer=None)
    _, data, flow = lab.sent[-1]
    assert flow.transport == "tcp" and len(data) > 70000
    phone.take(lab.fail(data, flow))
    assert phone.notifies[-1].body == b""  # the operator sees it as faulted
    assert (phone.notifies[-1].headers.get("sip-etag") or "").endswith(".withheld")
    assert next(iter(lab.rows.values())).delivery == "faulted"
    assert lab.change("alice", b"x" * 70000) == []


def test_pacing_keeps_in_flight_bounded_and_silent_phones_give_up_their_place() -> None:
    lab = Lab(NotifierSettings(notify_in_flight=2))
    for number in range(5):
        Phone(lab, call_id=f"c{number}").subscribe()
    assert len(lab.change("alice", b"<b/>")) == 2
    start = lab.now
    lab.run_until(start + 0.6)
    first = {data for at, data, _ in lab.sent if b"<b/>" in data}
    assert len(first) == 4


@pytest.mark.parametrize(("expires", "state"), [(600, "active;expires=600"), (0, "terminated;reason=timeout")])
def test_a_subscribe_is_answered_at_once_even_while_its_phone_waits_in_the_queue(expires: int, state: str) -> None:
    lab = Lab(NotifierSettings(notify_in_flight=1))
    first, second = Phone(lab, call_id="c1"), Phone(lab, call_id="c2")
    first.subscribe()
    second.subscribe()
    told = lab.change("alice", b"<b/>")
    assert len(told) == 1
    waiting = second if b"c1" in told[0] else first
    assert statuses(waiting.subscribe(expires)) == [200, "NOTIFY"]
    assert waiting.notifies[-1].headers.get("subscription-state") == state
    assert waiting.notifies[-1].body == b"<b/>"
    (first if waiting is second else second).take(told)
    lab.run_until(lab.now + 5)
    assert len(waiting.notifies) == 2  # and not once more when its turn comes


def test_hundred_refreshes_leave_one_deadline() -> None:
    lab = Lab()
    phone = Phone(lab)
    for _ in range(100):
        phone.subscribe()
        lab.now += 40
    assert len(lab.notifier._delivery.held.alarms) <= 2


def test_a_refresh_is_answered_at_once_at_the_new_place_though_a_notify_is_unanswered() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(answer=None)
    phone.contact = "<sip:alice@192.0.2.9:7777>"
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert [n.cseq for n in phone.notifies] == [1, 2] and lab.sent[-1][2].remote == ("192.0.2.9", 7777)
    lab.run_until(lab.now + 100)
    assert len(lab.rows) == 1  # the old NOTIFY ran into no Timer F


def test_an_unsubscribe_that_crosses_a_notify_gets_its_last_one() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(answer=None)
    assert statuses(phone.subscribe(0)) == [200, "NOTIFY"]
    assert phone.notifies[-1].headers.get("subscription-state") == "terminated;reason=timeout"


def test_a_refused_unsubscribe_changes_nothing() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    lab.store_works = False
    assert statuses(phone.subscribe(0)) == [503]
    lab.store_works = True
    lab.run_until(lab.now + 5)
    assert len(lab.rows) == 1
    phone.take(lab.change("alice", b"<b/>"))
    assert phone.notifies[-1].body == b"<b/>"
    assert statuses(phone.subscribe(0)) == [200, "NOTIFY"] and not lab.rows


def test_an_expiry_that_could_not_be_stored_is_told_later() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    lab.store_works = False
    lab.run_until(lab.now + 603)
    lab.store_works = True
    before = len(lab.sent)
    lab.run_until(lab.now + 3)
    assert b"terminated;reason=timeout" in lab.sent[before][1] and not lab.rows


def test_fetches_are_bounded_and_their_notifies_not_repeated_for_long() -> None:
    """Checklist row 65: RFC 6665 §6.3."""
    lab = Lab(NotifierSettings(max_fetches=1))
    assert statuses(Phone(lab).subscribe(0, answer=None)) == [200, "NOTIFY"]
    assert final(Phone(lab, call_id="c2").subscribe(0)).status == 503
    lab.run_until(lab.now + 40)
    assert sum(data.startswith(b"NOTIFY") for _, data, _ in lab.sent) == 4
    assert statuses(Phone(lab, call_id="c3").subscribe(0)) == [200, "NOTIFY"]


def test_a_refresh_must_accept_the_document_too() -> None:
    phone = Phone(Lab())
    phone.subscribe()
    assert statuses(phone.subscribe(Accept="image/png")) == [406]
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]


def test_sips_is_refused_without_tls() -> None:
    """Checklist row 35: RFC 3261 §26.2.2."""
    phone = Phone(Lab())
    phone.target = "sips:alice@example.com"
    assert statuses(phone.subscribe()) == [416]


def test_contact_headers_and_method_do_not_reach_the_request_uri() -> None:
    phone = Phone(Lab())
    phone.contact = "<sip:alice@192.0.2.9:5062;method=INVITE;x=1?Subject=a>"
    phone.subscribe()
    assert phone.notifies[0].uri == "sip:alice@192.0.2.9:5062;x=1"


def test_an_event_id_that_is_no_token_is_refused() -> None:
    assert statuses(Phone(Lab()).subscribe(Event='ua-profile;id="a;b=c d"')) == [489]


def test_leading_zeros_of_expires_do_not_count() -> None:
    assert final(Phone(Lab()).subscribe(None, Expires="000000000003600")).headers.get("expires") == "3600"


def test_a_stream_that_is_gone_is_opened_again_to_the_contact() -> None:
    lab = Lab()
    phone = Phone(lab, flow=TCP)
    phone.contact = "<sip:alice@192.0.2.9:6060;transport=tcp>"
    phone.subscribe()
    lab.change("alice", b"<b/>")
    assert lab.sent[-1][2] == Flow("tcp", TCP.local, ("192.0.2.9", 6060), TCP.connection)


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_slow_store_gets_the_phone_a_100_after_three_and_a_half_seconds_and_no_earlier(flow: Flow) -> None:
    """RFC 4320 §4.1."""
    lab = Lab()
    lab.holding = []
    phone = Phone(lab, flow=flow)
    data = phone.build(600, Timestamp="54.25")
    start = lab.now
    assert lab.receive(data, flow) == []
    lab.run_until(start + 3.4)
    assert lab.sent == [] and lab.receive(data, flow) == []
    lab.run_until(start + 3.6)
    (trying,) = [parsed(sent) for _, sent, _ in lab.sent]
    assert isinstance(trying, Response) and trying.status == 100 and ";tag=" not in (trying.headers.get("to") or "")
    assert trying.headers.get("timestamp") == "54.25 3.5", "RFC 3261 §8.2.6.1: a MUST"
    assert lab.receive(data, flow) == [lab.sent[0][1]]
    batch, lab.holding = lab.holding[0], None
    lab.finish(batch)
    lab.pump()
    assert statuses([parsed(sent) for _, sent, _ in lab.sent[2:]]) == [200, "NOTIFY"]


def test_a_udp_port_that_stays_closed_ends_the_subscription_after_half_a_minute() -> None:
    """RFC 6665 §4.2.2, RFC 3261 §18.4."""
    lab = Lab()
    Phone(lab).subscribe()
    start = lab.now
    lab.change("alice", b"<b/>")
    while len(lab.notifier):
        assert lab.now < start + 60
        _, data, flow = lab.sent[-1]
        lab.fail(data, flow)
        deadline = lab.notifier.next_deadline()
        if deadline is not None and len(lab.notifier):
            lab.run_until(deadline)
    assert start + 28 < lab.now < start + 34 and lab.rows == {}


class OnePassword(OpenAccess):
    """Lets in whoever has an Authorization."""

    def identify(self, request: Request, flow: Flow, domain: str, *, now: float) -> str | None:
        if request.headers.get("authorization") is None:
            raise Refused(401)
        return "alice"


def test_a_challenged_cseq_is_not_used_up_and_who_authenticates_may_repeat_one() -> None:
    """RFC 3261 §8.2, §12.2.2. SIP.js forgets the CSeq with which it answered a challenge."""
    lab = Lab(access=OnePassword())
    phone = Phone(lab)
    assert statuses(phone.subscribe(Authorization="right")) == [200, "NOTIFY"]
    assert statuses(phone.subscribe()) == [401]
    via = f"SIP/2.0/UDP {PHONE[0]}:{PHONE[1]};branch=z9hG4bK"
    phone.cseq -= 1
    assert statuses(phone.subscribe(Authorization="right", Via=f"{via}-after")) == [200, "NOTIFY"]
    phone.cseq -= 1
    assert statuses(phone.subscribe(Authorization="right", Via=f"{via}-again")) == [200, "NOTIFY"]
    phone.cseq -= 2
    assert statuses(phone.subscribe(Authorization="right", Via=f"{via}-lower")) == [500]


@pytest.mark.parametrize(
    ("contact", "ours"),
    [("sip:a@x.invalid;transport=wss", ";transport=wss"), ("sip:a@x.invalid;transport=ws", ";transport=ws")],
)
def test_over_secure_websocket_our_contact_speaks_the_phones_dialect(contact: str, ours: str) -> None:
    """stacks.md: libre."""
    lab = Lab()
    phone = Phone(lab, flow=Flow("wss", TCP.local, TCP.remote, 7))
    accepted, _ = phone.subscribe(Contact=f"<{contact}>")
    assert (accepted.headers.get("contact") or "").partition(">")[0].endswith(ours)
