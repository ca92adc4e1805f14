"""The shortcut reads what the parser reads, or nothing."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.dialog import contact_of
from gitops_profile.sip.syntax import URI, Request, SIPSyntaxError, parse_message
from gitops_profile.sip.syntax.plain_request import read_plain_request
from tests.fuzz import generate

START = b"SUBSCRIBE sip:alice@example.com SIP/2.0"
PLAIN = [
    b"Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK1;rport",
    b"Max-Forwards: 70",
    b'From: "Alice" <sip:alice@example.com>;tag=a',
    b"To: <sip:alice@example.com>",
    b"Call-ID: c1@host",
    b"CSeq: 7 SUBSCRIBE",
    b"Contact: <sip:alice@192.0.2.9:5062>",
    b'Event: ua-profile;profile-type=user;vendor="v";model="m";version="1"',
    b"Accept: text/xml",
    b"Expires: 3600",
    b"User-Agent: Vendor M1 1.0",
    b"Content-Length: 0",
]
STARTS = [
    START, START, START,
    b"SUBSCRIBE sip:example.com SIP/2.0",
    b"SUBSCRIBE sip:MAC=00304fa99948@224.0.1.75:5060;transport=udp SIP/2.0",
    b"SUBSCRIBE sip:alice@example.com:65536 SIP/2.0",
    b"SUBSCRIBE sip:alice@example.com:0 SIP/2.0",
    b"SUBSCRIBE sip:a:b@example.com SIP/2.0",
    b"SUBSCRIBE sip:%61lice@example.com SIP/2.0",
    b"SUBSCRIBE sip:alice@EXAMPLE.com SIP/2.0",
    b"SUBSCRIBE sip:alice@example.com;lr;lr=2;x=a/b SIP/2.0",
    b"SUBSCRIBE sip:alice@example.com?a=b SIP/2.0",
    b"SUBSCRIBE sip:alice@example.com  SIP/2.0",
    b"SUBSCRIBE sip:alice@example.com SIP/3.0",
    b"SUBSCRIBE sips:alice@example.com SIP/2.0",
    b"OPTIONS sip:alice@example.com SIP/2.0",
]  # fmt: skip
FIELDS = [
    *PLAIN, *PLAIN,
    b"v: SIP/2.0/UDP 192.0.2.9:5062;rport;branch=z9hG4bK1",
    b"Via: SIP/2.0/TLS h.example.com;branch=z9hG4bK1;alias;RPORT",
    b"Via: SIP/2.0/UDP 192.0.2.9",
    b"Via: SIP/2.0/UDP 192.0.2.9:99999;branch=z9hG4bK1",
    b"Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK1;rport=5;received=192.0.2.1",
    b"Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2",
    b"Via: SIP/2.0/UDP 192.0.2.9:5059.;branch=z9hG4bK1",
    b"Via: SIP/2.0/UDP [2001:db8::9]:5062;branch=z9hG4bK1",
    b"Via: SIP/2.0/UDP 192.0.2.9;branch=;rport",
    b"From: Alice <sip:alice@example.com>;tag=a", b"f: <tel:+1>", b"From: <sip:a@b>;tag=", b"From: <sip:a@b>;tag",
    b"From: <sip:a@b>;tag=a;x=y", b"From: sip:a@b;tag=a", b'From: "a\\"b" <sip:a@b>;tag=a', b"From: <sip:a@b>;TAG=a",
    b'From: "A B"<sip:a@b>;tag=a', b"From: A, B <sip:a@b>;tag=a", b"From: <sip:a@b> ;tag=a", b"From: <>;tag=a",
    b"To: <sip:alice@example.com>;tag=b", b"t: <sip:alice@example.com>", b"To: <sip:alice@example.com>;tag=b;tag=c",
    b"Call-ID: two words", b"i: c", b"Call-ID:", b"Call-ID: \xc3\xa9",
    b"CSeq: 4294967295 SUBSCRIBE", b"CSeq: 4294967296 SUBSCRIBE", b"CSeq: 007 SUBSCRIBE", b"CSeq: 7  SUBSCRIBE",
    b"CSeq: 7 NOTIFY", b"CSeq: -7 SUBSCRIBE", b"CSEQ : 7 SUBSCRIBE",
    b"Contact: *", b"Contact:", b"Contact: <sip:a@b>, <sip:c@d>", b"m: <sip:192.0.2.9;transport=tcp>;expires=60",
    b"Contact: <sip:a@b;method=REGISTER>", b"Contact: <sip:a@b?x=y>", b"Contact: <sips:a@b>", b"Contact: sip:a@b",
    b"Contact: <sip:a@b:70000>", b'Contact: "A" <sip:a@b>;+sip.instance="<urn:uuid:1>";reg-id=1', b"Contact: <tel:+1>",
    b'Contact: "A, B" <sip:a@b>;x=<y', b"Contact: <sip:a@b>;x=<y",
    b"Contact: <sip:a@b>;tag=", b'Contact: <sip:a@b>;x="', b"Contact: <sip:a@b> ;schemes=https",
    b"Contact: <sip:a@b>;;x", b"Contact: <sip:a@b;;>",
    b"Content-Length: 3", b"l: 0", b"Content-Length: 00", b"Content-Length: x", b"Content-Length: 9999999999",
    b"Content-Length: 0000000000", b"CSeq: 00000000007 SUBSCRIBE",
    b"Supported:", b"Supported: ", b"Supported:  x", b"Supported: x ", b"Supported:x", b"Supported: x\t", b"X: \x00",
    b"X : y", b": y", b"no colon", b" folded", b"\tfolded", b"a;b: c", b"X: a\rb", b"X: a\nb", b"X: \xff", b"X: a: b",
    b"To:  <sip:a@b>", b"From:  <sip:a@b>;tag=a", b"Contact:  <sip:a@b>", b"Via:  SIP/2.0/UDP 192.0.2.9", b"Event:  x",
    b'From: "\xff" <sip:a@b>;tag=a', b'To: "\xc3\xa9 \x00" <sip:a@b>', b"Max-Forwards: 69", b"Max-Forwards: x",
    b"Content-Type: text/xml", b"c: a/b", b"Suppress-If-Match: *", b"Authorization: Digest a=b", b"MAX-forwards: 1",
    b"Record-Route: <sip:192.0.2.1;lr>", b"Record-Route: <sip:192.0.2.2;lr>", b"Require: x",
]  # fmt: skip
NAMES = (
    "method", "uri", "version", "body", "size", "vias", "via", "from_", "from_text", "from_tag", "to", "to_text",
    "to_tag", "call_id", "cseq", "cseq_text", "event", "accept", "expires", "user_agent", "checked",
)  # fmt: skip


def agrees(data: bytes) -> bool:
    """Whether nothing was read by the shortcut that is not what the parser finds; raises SIPSyntaxError if it was."""
    found = read_plain_request(data)
    if found is None:
        return True
    message = parse_message(data)
    assert isinstance(message, Request)
    message.check()
    for name in NAMES:
        assert getattr(found, name) == getattr(message, name), name
    assert found.headers.fields == message.headers.fields and found.headers.first == message.headers.first
    assert found.headers.repeats == message.headers.repeats
    assert found.plain != bool({"require", "record-route", "suppress-if-match"} & set(message.headers.first))
    assert found.target == URI.parse(message.uri)
    if found.contact is not None:
        assert found.contact == contact_of(message)
    else:
        assert not found.headers.get("contact")
    return True


def whole(start: bytes, fields: list[bytes], body: bytes = b"") -> bytes:
    return b"\r\n".join([start, *fields, b"", body])


def test_what_phones_send_is_read() -> None:
    found = read_plain_request(whole(START, PLAIN))
    assert found is not None and found.call_id == "c1@host" and found.cseq == 7 and found.from_.tag == "a"
    assert found.via.branch == "z9hG4bK1" and found.contact is not None and found.contact.uri.port == 5062
    assert agrees(whole(START, PLAIN))


def test_the_order_of_the_fields_does_not_matter() -> None:
    assert read_plain_request(whole(START, PLAIN[::-1])) is not None and agrees(whole(START, PLAIN[::-1]))


@pytest.mark.parametrize("missing", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_without_what_every_request_has_it_is_left_to_the_parser(missing: str) -> None:
    fields = [field for field in PLAIN if not field.startswith(missing.encode() + b":")]
    assert len(fields) == len(PLAIN) - 1 and read_plain_request(whole(START, fields)) is None


@pytest.mark.parametrize("length, body", [(0, b"abc"), (3, b"abc"), (2, b"abc")])
def test_the_body_ends_where_it_says(length: int, body: bytes) -> None:
    data = whole(START, [*PLAIN[:-1], b"Content-Length: %d" % length], body)
    found = read_plain_request(data)
    assert found is not None and found.body == body[:length] and agrees(data)


@pytest.mark.parametrize("vias", [1, 98, 99, 100, 150])
def test_more_hops_than_any_answer_repeats_are_left_to_the_parser(vias: int) -> None:
    data = whole(START, [*PLAIN[:-1], *[b"v: SIP/2.0/UDP a"] * vias, PLAIN[-1]])
    assert (read_plain_request(data) is not None) == (vias < 100)


def test_a_body_that_is_cut_short_is_left_to_the_parser() -> None:
    assert read_plain_request(whole(START, [*PLAIN[:-1], b"Content-Length: 4"], b"abc")) is None


@given(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(FIELDS), max_size=4),
    st.sets(st.sampled_from(range(len(PLAIN))), max_size=3),
    st.randoms(use_true_random=False),
    st.sampled_from([b"", b"abc"]),
)
def test_it_never_reads_what_the_parser_does_not(
    start: bytes, more: list[bytes], missing: set[int], r: Random, body: bytes
) -> None:
    fields = [field for number, field in enumerate(PLAIN) if number not in missing] + more
    r.shuffle(fields)
    try:
        assert agrees(whole(start, fields, body))
    except SIPSyntaxError as error:
        pytest.fail(f"the shortcut has read what the parser refuses: {error.reason}")


@pytest.mark.parametrize("field", FIELDS, ids=repr)
def test_one_odd_field(field: bytes) -> None:
    name = field.partition(b":")[0].strip().lower()
    others = [one for one in PLAIN if one.partition(b":")[0].strip().lower() != name]
    for start in STARTS:
        assert agrees(whole(start, [*others, field])) and agrees(whole(start, [*PLAIN, field]))


@given(st.data())
def test_a_changed_byte_makes_no_other_request_of_it(data: st.DataObject) -> None:
    text = whole(START, PLAIN)
    place = data.draw(st.integers(0, len(text) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])
    for changed in (text[:place] + byte + text[place + 1 :], text[:place] + byte + text[place:]):
        assert agrees(changed)


@given(st.randoms(use_true_random=False))
def test_damaged_messages(r: Random) -> None:
    assert agrees(generate.message(r))
