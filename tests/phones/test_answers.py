"""How phones answer a NOTIFY: every odd form of a 200 ends it, every refusal does what RFC 6665 §4.2.2 says."""

import re
from collections.abc import Callable

import pytest

from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import Request
from tests.sip.harness import SERVER, parsed, statuses

from .handset import ADDRESS, Handset, Household, body_of, reply
from .traffic_index import BY_NAME, SUBSCRIBERS, Row

Form = Callable[[bytes], list[bytes]]


def renamed(data: bytes, names: dict[str, str]) -> bytes:
    for name, other in names.items():
        data = data.replace(f"\r\n{name}:".encode(), f"\r\n{other}:".encode())
    return data


def told_where_from(data: bytes) -> bytes:
    """`received` and `rport` filled in by somebody who sees us under another address (RFC 3581 §4)."""
    return re.sub(rb"(Via: [^\r]*);rport", rb"\1;rport=49152;received=198.51.100.7", data)


def through_a_box(data: bytes) -> bytes:
    """The Via's parameters in another order, blanks round every mark, the branch last."""
    return re.sub(
        rb"Via: SIP/2.0/(\w+) ([\d.]+):(\d+);branch=(\w+);rport",
        rb"Via: SIP / 2.0 / \1  \2 : \3 ; received=192.0.2.1 ; rport=5060 ; branch=\4",
        data,
    )


FORMS: dict[str, Form] = {
    "plain": lambda data: [data],
    "to-without-tag": lambda data: [re.sub(rb"(\r\nTo: [^\r]*?);tag=[^\r]*", rb"\1", data)],
    "compact-names": lambda data: [
        renamed(data, {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Content-Length": "l"})
    ],
    "capital-names": lambda data: [
        renamed(data, {"Via": "VIA", "From": "FROM", "To": "TO", "Call-ID": "CALL-ID", "CSeq": "CSEQ"})
    ],
    "blank-before-the-colon": lambda data: [renamed(data, {"Via": "Via ", "CSeq": "CSeq\t"})],
    "received-and-rport": lambda data: [told_where_from(data)],
    "via-rewritten": lambda data: [through_a_box(data)],
    "via-without-its-default-port": lambda data: [data.replace(b"192.0.2.1:5060;branch", b"192.0.2.1;branch")],
    "via-without-rport": lambda data: [re.sub(rb"(\r\nVia: [^\r]*);rport", rb"\1", data)],
    "transport-in-lower-case": lambda data: [data.replace(b"SIP/2.0/UDP", b"SIP/2.0/udp")],
    "folded": lambda data: [data.replace(b";branch=", b"\r\n ;branch=")],
    "no-reason": lambda data: [data.replace(b"SIP/2.0 200 OK", b"SIP/2.0 200")],
    "empty-reason": lambda data: [data.replace(b"SIP/2.0 200 OK", b"SIP/2.0 200 ")],
    "german": lambda data: [data.replace(b"SIP/2.0 200 OK", "SIP/2.0 200 Schön".encode("latin-1"))],
    "accepted": lambda data: [data.replace(b"SIP/2.0 200 OK", b"SIP/2.0 202 Accepted")],
    "no-content-length": lambda data: [data.replace(b"Content-Length: 0\r\n", b"")],
    "lf-only": lambda data: [data.replace(b"\r\n", b"\n")],
    "line-ends-before": lambda data: [b"\r\n\r\n" + data],
    "nul-behind": lambda data: [data + b"\0"],
    "much-besides": lambda data: [
        data.replace(
            b"Content-Length: 0",
            b"Contact: <sip:192.0.2.67:5060>\r\nUser-Agent: snom370/8.7.5.48\r\nAllow-Events: talk, hold\r\n"
            b"Supported: replaces\r\nServer:\r\nX-Vendor\xe4: x\r\nContent-Type: text/plain\r\nContent-Length: 2",
        ).replace(b"X-Vendor\xe4: x\r\n", b"X-Vendor: \xe4\r\n")
        + b"ok"
    ],
    "display-name": lambda data: [re.sub(rb"\r\n(From|To): <", rb'\r\n\1: "Phone" <', data)],
    "cseq-with-blanks": lambda data: [re.sub(rb"CSeq: (\d+) NOTIFY", rb"CSeq:   \1   NOTIFY  ", data)],
    "trying-first": lambda data: [data.replace(b"200 OK", b"100 Trying"), data],
    "twice": lambda data: [data, data],
    "eleven-times": lambda data: [data] * 11,
    "ok-and-then-481": lambda data: [data, data.replace(b"200 OK", b"481 Gone")],
    "reversed": lambda data: [
        b"\r\n".join([data.split(b"\r\n")[0], *reversed(data.rstrip().split(b"\r\n")[1:]), b"", b""])
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_200_is_one(form: str) -> None:
    lab = Household()
    phone = Handset(lab, BY_NAME["snom-device"])
    _, notify = phone.subscribe(answer=None)
    assert isinstance(notify, Request)
    before = len(lab.sent)
    for data in FORMS[form](reply(notify)):
        assert lab.receive(data, phone.flow) == []
    assert phone.delivery == "acknowledged" and phone.held == 1
    lab.run_until(lab.now + 120)
    assert len(lab.sent) == before, "no repetition: it was heard"
    [change] = lab.publish(phone.row.document, 2)
    assert parsed(change).headers.get("cseq") == "2 NOTIFY"


@pytest.mark.parametrize("port", [5062, 1024, 65535])
def test_an_answer_from_another_port_or_address_is_one(port: int) -> None:
    """The branch says what it answers (RFC 3261 §17.1.3), and the branch only we and the phone know."""
    for address in (ADDRESS, "198.51.100.7"):
        lab = Household()
        phone = Handset(lab, BY_NAME["yealink-user"])
        _, notify = phone.subscribe(answer=None)
        assert isinstance(notify, Request)
        assert lab.receive(reply(notify), Flow("udp", SERVER, (address, port))) == []
        assert phone.delivery == "acknowledged"


@pytest.mark.parametrize("row", SUBSCRIBERS, ids=lambda row: row.name)
def test_every_family_is_repeated_to_until_it_answers_and_then_left_alone(row: Row) -> None:
    lab = Household()
    phone = Handset(lab, row)
    phone.subscribe(answer=None)
    lab.run_until(lab.now + 2)
    repeated = lab.since(2)
    assert repeated == [lab.sent[1][1]] * 2  # after 0.5 and 1.5 s (RFC 3261 §17.1.2.2)
    lab.receive(reply(phone.notifies[0]), phone.flow)
    lab.run_until(lab.now + 120)
    assert len(lab.sent) == 4 and phone.delivery == "acknowledged"


STRAY: dict[str, Callable[[bytes], bytes]] = {
    "another-branch": lambda data: re.sub(rb";branch=\w+", b";branch=z9hG4bKother", data),
    "another-sent-by": lambda data: data.replace(b"192.0.2.1:5060;branch", b"192.0.2.2:5060;branch"),
    "another-method": lambda data: data.replace(b" NOTIFY\r\n", b" SUBSCRIBE\r\n"),
    "no-via": lambda data: re.sub(rb"\r\nVia: [^\r]*", b"", data),
    "no-cseq": lambda data: re.sub(rb"\r\nCSeq: [^\r]*", b"", data),
    "cut-off": lambda data: data[:-4],
    "status-999": lambda data: data.replace(b"200 OK", b"999 OK"),
    "sip-3": lambda data: data.replace(b"SIP/2.0 200", b"SIP/3.0 200"),
}


@pytest.mark.parametrize("form", STRAY)
def test_what_answers_nothing_is_dropped_without_a_word(form: str) -> None:
    lab = Household()
    phone = Handset(lab, BY_NAME["snom-device"])
    _, notify = phone.subscribe(answer=None)
    assert isinstance(notify, Request)
    assert lab.receive(STRAY[form](reply(notify)), phone.flow) == []
    assert phone.delivery == "notified"
    lab.receive(reply(notify), phone.flow)
    assert phone.delivery == "acknowledged"


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
def test_what_ends_a_subscription_ends_it_without_another_word(status: int) -> None:
    """RFC 6665 §4.2.2; the phone's next SUBSCRIBE in that dialog is 481, and a new one is welcome."""
    lab = Household()
    phone = Handset(lab, BY_NAME["fanvil-device"])
    assert statuses(phone.subscribe(status)) == [200, "NOTIFY"]
    assert phone.held == 0 and not lab.rows
    assert lab.publish(phone.row.document, 2) == []
    assert statuses(phone.send(phone.again())) == [481]
    assert statuses(phone.send(phone.again(to_tag=False))) == [200, "NOTIFY"]
    assert phone.notifies[-1].body == body_of(phone.row.document, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 406, 407, 413, 415, 420, 500, 503, 504, 513, 600, 603, 302])
def test_any_other_refusal_keeps_it_and_is_tried_again_less_and_less_often(status: int) -> None:
    lab = Household()
    phone = Handset(lab, BY_NAME["mitel-device"])
    start = lab.now
    phone.subscribe(status)
    tries = [0.0]
    while len(tries) < 6:
        before = len(lab.sent)
        deadline = lab.notifier.next_deadline()
        assert deadline is not None
        lab.run_until(deadline)
        for message in lab.since(before):
            tries.append(round(lab.now - start, 3))
            phone.take([message], status)
    assert tries == [0.0, 2.0, 6.0, 14.0, 30.0, 62.0]
    assert phone.held == 1 and phone.delivery == "faulted"
    before = len(lab.sent)
    lab.run_until(lab.now + 64)
    assert statuses(phone.take(lab.since(before), 200)) == ["NOTIFY"]
    assert phone.delivery == "acknowledged"
    cseqs = [int((notify.headers.get("cseq") or "").split()[0]) for notify in phone.notifies]
    assert cseqs == list(range(1, 8))


def test_a_refusal_is_forgotten_when_there_is_something_new() -> None:
    """A phone that could not read one version (415) gets the next one at once."""
    lab = Household()
    phone = Handset(lab, BY_NAME["panasonic-device"])
    phone.subscribe(415)
    [change] = lab.publish(phone.row.document, 2)
    assert statuses(phone.take([change])) == ["NOTIFY"] and phone.delivery == "acknowledged"


def test_a_phone_that_never_answers_is_given_up_and_nothing_is_left() -> None:
    """phones.md 3: no more than Timer E and F, and no state to keep. Unproven by UDP: four transmissions."""
    lab = Household()
    phone = Handset(lab, BY_NAME["yealink-device"])
    phone.subscribe(answer=None)
    lab.run_until(lab.now + 3600)
    assert [round(at - 1000, 3) for at, _, _ in lab.sent] == [0.0, 0.0, 0.5, 1.5, 3.5]
    assert phone.held == 0 and not lab.rows and lab.notifier.is_quiet


def test_a_fetch_that_is_never_answered_leaves_nothing_either() -> None:
    lab = Household()
    phone = Handset(lab, BY_NAME["snom-370-pnp"])
    phone.subscribe(answer=None)
    assert phone.held == 0 and not lab.rows
    lab.run_until(lab.now + 60)
    assert len(lab.sent) == 5 and lab.notifier.is_quiet
