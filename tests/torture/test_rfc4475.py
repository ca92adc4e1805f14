"""RFC 4475 through the notifier: each message, and the SUBSCRIBE that has the same defect."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.syntax import MessageReader, Request, Response, SIPSyntaxError, parse_message
from tests.sip.harness import TCP, UDP, FakePackage, Lab, Phone, parsed

MESSAGES = Path(__file__).parent / "messages"

NO_REPEATED_CONTACT = {400}
"""A dialog needs exactly one Contact (RFC 3261 §8.1.1.8), where REGISTER may have several."""

EXPECTED: dict[str, set[int]] = {
    "wsinv": {405}, "intmeth": {501}, "esc01": {405}, "escnull": {405}, "esc02": {501}, "lwsdisp": {200},
    "longreq": {405}, "dblreq": {405}, "semiuri": {200}, "transports": {200}, "mpart01": {405}, "unreason": set(),
    "noreason": set(), "badinv01": {400}, "clerr": {400}, "ncl": {400}, "scalar02": {400}, "scalarlg": set(),
    "quotbal": {400}, "ltgtruri": {400}, "lwsruri": {400}, "lwsstart": {400}, "trws": {400, 200},
    "escruri": {400, 405}, "baddate": {405}, "regbadct": {400, 405}, "badaspec": {400}, "baddn": {400},
    "badvers": {505}, "mismatch01": {400}, "mismatch02": {400, 501}, "bigcode": set(), "badbranch": {200, 400},
    "insuf": {400}, "unkscm": {416}, "novelsc": {416}, "unksm2": {400, 405}, "bext01": {420}, "invut": {405},
    "regaut01": {405}, "multi01": {400}, "mcl01": {400}, "bcast": set(), "zeromf": {200}, "cparam01": {405},
    "cparam02": {405}, "regescrt": {405}, "sdp01": {405}, "inv2543": {405, 400}, "test": set(),
}  # fmt: skip

NO_REQUEST = {"unreason", "noreason", "scalarlg", "bigcode", "bcast", "test"}
"""Responses, and what is neither: no SUBSCRIBE can be made of them."""

SUBSCRIBED: dict[str, set[int]] = {
    name: {400} for name in ("badinv01", "clerr", "ncl", "scalar02", "mismatch01", "mismatch02",
                             "quotbal", "ltgtruri", "lwsruri", "lwsstart",
                             "trws", "escruri", "badaspec", "baddn", "insuf", "multi01", "mcl01")
} | {"badvers": {505},
     "esc02": NO_REPEATED_CONTACT, "escnull": NO_REPEATED_CONTACT, "wsinv": {481}, "regbadct": {400},
     "unksm2": {400}, "unkscm": {416}, "novelsc": {416}, "bext01": {420}}  # fmt: skip
"""What a defect means for a SUBSCRIBE that is right otherwise. Every other defect is none that matters to us: 200."""


def message(name: str) -> bytes:
    return (MESSAGES / f"{name}.dat").read_bytes()


def answers(lab: Lab, data: bytes) -> list[Response]:
    seen = [parsed(sent) for sent in lab.receive(data)]
    return [answer for answer in seen if isinstance(answer, Response)]


def as_subscribe(data: bytes) -> bytes:
    """The same message with method SUBSCRIBE, and the headers that a SUBSCRIBE must have where it had none."""
    head, blank, body = data.partition(b"\r\n\r\n")
    start, _, fields = head.partition(b"\r\n")
    method, space, rest = start.partition(b" ")
    fields = re.sub(rb"(?i)((?:^|\r\n)cseq\s*:\s*\d+\s+)" + re.escape(method), rb"\1SUBSCRIBE", fields)
    extra = b"\r\nEvent: ua-profile\r\nAccept: text/xml"
    if not re.search(rb"(?im)^(contact|m)[ \t]*:", fields):
        extra += b"\r\nContact: <sip:alice@192.0.2.9:5062>"
    return b"SUBSCRIBE" + space + rest + b"\r\n" + fields + extra + (blank or b"\r\n\r\n") + body


class Everyone(FakePackage):
    """Has a document for whoever asks, so that nothing but the message decides."""

    def resource(self, request: Request, event: object) -> str:
        return "alice"

    def accepts(self, resource: str, audience: object) -> bool:
        return True


def test_every_message_has_a_row() -> None:
    assert {path.stem for path in MESSAGES.glob("*.dat")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_torture_message(name: str) -> None:
    lab = Lab()
    seen = answers(lab, message(name))
    if not EXPECTED[name]:
        assert seen == [] and not lab.sent
        return
    assert len(seen) == 1 and seen[0].status in EXPECTED[name], f"{seen[0].status} {seen[0].reason}"
    assert len(lab.notifier) == 0
    if seen[0].status in (405, 501):
        assert "SUBSCRIBE" in (seen[0].headers.get("allow") or "")


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - NO_REQUEST))
def test_subscribe_with_the_same_defect(name: str) -> None:
    lab = Lab(package=Everyone())
    seen = answers(lab, as_subscribe(message(name)))
    expected = SUBSCRIBED.get(name, {200})
    assert len(seen) == 1 and seen[0].status in expected, f"{seen[0].status} {seen[0].reason}"
    assert len(lab.notifier) == (seen[0].status == 200 and seen[0].headers.get("expires") != "0")
    notifies = [sent for _, sent, _ in lab.sent if sent.startswith(b"NOTIFY")]
    assert len(notifies) == (seen[0].status == 200)


def test_every_via_of_the_longest_message_comes_back_in_order() -> None:
    [answer] = answers(Lab(), message("longreq"))
    sent = parse_message(message("longreq"))
    got, asked = answer.headers.items("via"), sent.headers.items("via")
    assert len(got) == len(asked) == 34 and got[1:] == asked[1:] and got[0].startswith(asked[0])


def test_only_require_is_called_unsupported() -> None:
    [answer] = answers(Lab(), message("bext01"))
    assert answer.headers.items("unsupported") == ["nothingSupportsThis", "nothingSupportsThisEither"]


def test_a_bare_cookie_does_not_make_two_callers_one() -> None:
    lab = Lab(package=Everyone())
    data = as_subscribe(message("badbranch"))
    other = re.sub(rb"(?im)^Call-ID:.*?\r", b"Call-ID: another\r", data)
    assert other != data
    assert [a.status for a in answers(lab, data)] == [200] and [a.status for a in answers(lab, other)] == [200]
    assert len(lab.notifier) == 2


def test_two_messages_in_a_stream_are_two_and_in_a_datagram_one() -> None:
    messages, _ = MessageReader().feed(message("dblreq")[:-5])  # its second Content-Length is short
    assert len(messages) == 2
    lab = Lab()
    assert sum(len(lab.receive(data, TCP)) for data in messages) == 2
    assert len(lab.receive(message("dblreq"), UDP)) == 1


@pytest.mark.parametrize("name", ["ncl", "mcl01", "inv2543"])
def test_a_stream_without_a_good_content_length_is_lost(name: str) -> None:
    with pytest.raises(SIPSyntaxError):
        MessageReader().feed(message(name))


def test_a_stream_waits_for_what_content_length_promised() -> None:
    reader = MessageReader()
    assert reader.feed(message("clerr")) == ([], 0) and reader.waiting


VALID = Phone(Lab()).build(600, Accept="text/xml", User_Agent="Snom")
RESPONSE = re.compile(rb"[\r\n]*SIP/", re.IGNORECASE)
MUTATIONS = st.lists(
    st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), st.binary(max_size=6) | st.sampled_from(
        [b"\r\n", b"\r", b" ", b'"', b"<", b">", b";", b",", b":", b"%00", b"\x00", b"\xff", "\u00b2".encode(), b"-1",
         b"4294967296", b"SIP/2.0 200 OK\r\n", b"\r\nEvent: x", b"\r\nTo: <sip:a@b>;tag=t0",
         b"\r\nRecord-Route: <x>"])),
    min_size=1, max_size=5,
)  # fmt: skip


@given(MUTATIONS, st.booleans())
def test_no_mutation_of_a_subscribe_raises_and_no_response_is_answered(
    mutations: list[tuple[int, int, bytes]], stream: bool
) -> None:
    data = VALID
    for at, removed, inserted in mutations:
        data = data[:at] + inserted + data[at + removed :]
    lab = Lab()
    sent = lab.receive(data, TCP if stream else UDP)
    if RESPONSE.match(data):
        assert sent == []
    for answer in sent:
        parsed(answer)  # what we say is well formed, whatever we were told
    assert len(lab.notifier) <= 1


@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    lab = Lab()
    lab.receive(data)
    lab.run_until(lab.now + 40)
    assert len(lab.notifier) == 0


@given(st.text(max_size=30).filter(lambda text: "\r" not in text and "\n" not in text))
@pytest.mark.parametrize("field", "Expires Event Accept Contact Record-Route Require To From Via".split())
def test_no_header_value_raises(field: str, value: str) -> None:
    lab = Lab()
    lab.receive(Phone(lab).build(600, **{field: value}))
    for _, answer, _ in lab.sent:
        parsed(answer)


@pytest.mark.parametrize(
    "value",
    ["12abc", "\u00b2", "9" * 5000, "", "5;duration=9", "7 (busy)", "-1"],
    ids=["garbage", "superscript", "long", "empty", "duration", "comment", "negative"],
)  # fmt: skip
def test_no_retry_after_raises(value: str) -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    [notify] = phone.take(lab.change("alice", b"<b/>"), answer=None)
    assert isinstance(notify, Request)
    refused = phone.answer(notify, 503).replace(b"\r\n\r\n", f"\r\nRetry-After: {value}\r\n\r\n".encode())
    lab.receive(refused)
    assert len(lab.notifier) == 1
