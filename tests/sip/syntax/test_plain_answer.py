"""The shortcut says what the parser says, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.syntax import Address, Response, SIPSyntaxError, parse_message
from gitops_profile.sip.syntax.plain_answer import read_plain_answer

PLAIN = [
    b"SIP/2.0 200 OK",
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport=5060;received=192.0.2.1",
    b"From: <sip:alice@example.com>;tag=a",
    b"To: <sip:alice@example.com>;tag=b",
    b"Call-ID: c1@host",
    b"CSeq: 7 NOTIFY",
    b"Content-Length: 0",
]
ODD = [
    b"v: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKother",
    b"Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKother",
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc, SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKd",
    b"Via: SIP/2.0/UDP EXAMPLE.com:5060;branch=z9hG4bKabc",
    b"Via: SIP/2.0/TLS [2001:db8::1]:5061;branch=z9hG4bKabc",
    b"VIA : SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKabc",
    b" folded",
    b"\tfolded",
    b"no colon",
    b"CSeq: 7 SUBSCRIBE",
    b"CSeq: 8 NOTIFY",
    b"CSeq: 99999999999 NOTIFY",
    b"Server: Vendor 1.0",
    b"contact: <sip:alice@192.0.2.9>",
    b"m: <sip:alice@192.0.2.9>",
    b'Contact: "A<b>" <sip:alice@192.0.2.9>',
    b"Contact: sip:alice@192.0.2.9",
    b"Content-Length: 5",
    b"X: a\rb",
    b"SIP/2.0 200 ",
    b"SIP/2.0 202 Accepted",
    b"SIP/2.0 486 Busy",
    b"Contact: <sip:alice@192.0.2.9>;expires=60",
    b"",
]
LINES = st.lists(st.sampled_from([*PLAIN, *ODD]), min_size=1, max_size=9)


def agrees(data: bytes) -> bool:
    """Whether the shortcut has found what the parser finds, when it has found something."""
    found = read_plain_answer(data)
    if found is None:
        return True
    message = parse_message(data)
    assert isinstance(message, Response) and message.status == 200
    branch, sent_by, contact = found
    contacts = [Address.parse(value).uri for value in message.headers.items("contact")]
    return message.matching() == (branch, sent_by, "NOTIFY") and contacts == ([contact] if contact is not None else [])


def test_a_plain_200_is_read() -> None:
    data = b"\r\n".join([*PLAIN, b"", b""])
    assert read_plain_answer(data) == ("z9hG4bKabc", "192.0.2.1:5060", None)
    assert agrees(data)


@pytest.mark.parametrize("place", range(1, len(PLAIN)))
@pytest.mark.parametrize("parameters", [b"", b";expires=60", b";+sip.instance=<urn:uuid:1>", b", <sip:b@192.0.2.9>"])
def test_its_contact_is_read_when_it_is_plain(place: int, parameters: bytes) -> None:
    contact = b"Contact: <sip:alice@192.0.2.9:5062;transport=udp>" + parameters
    data = b"\r\n".join([*PLAIN[:place], contact, *PLAIN[place:], b"", b""])
    found = read_plain_answer(data)
    assert (found is not None) == (b"<" not in parameters)
    assert found is None or found[2] == "sip:alice@192.0.2.9:5062;transport=udp"
    twice = data.replace(contact, contact + b"\r\n" + contact)
    assert read_plain_answer(twice) is None


@pytest.mark.parametrize("odd", [*ODD[:12], *ODD[13:19]], ids=str)
def test_anything_else_is_left_to_the_parser(odd: bytes) -> None:
    for place in range(1, len(PLAIN)):
        data = b"\r\n".join([*PLAIN[:place], odd, *PLAIN[place:], b"", b""])
        assert read_plain_answer(data) is None


@pytest.mark.parametrize("more", [PLAIN[-1:], [b"a:"] * 300], ids=["two lengths", "too many fields"])
def test_what_the_parser_refuses_is_left_to_it(more: list[bytes]) -> None:
    data = b"\r\n".join([*PLAIN, *more, b"", b""])
    assert read_plain_answer(data) is None
    with pytest.raises(SIPSyntaxError):
        parse_message(data)


@given(LINES, st.sampled_from([b"\r\n", b"\n"]))
def test_it_never_says_what_the_parser_does_not(lines: list[bytes], end: bytes) -> None:
    assert agrees(b"\r\n".join([*PLAIN[:1], *lines]) + b"\r\n" + end)
    assert agrees(end.join(lines) + end + end)


@given(st.data())
def test_a_flipped_byte_makes_no_other_answer_of_it(data: st.DataObject) -> None:
    whole = b"\r\n".join([*PLAIN, b"", b""])
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = whole[:place] + bytes([byte]) + whole[place + 1 :]
    try:
        assert agrees(changed)
    except SIPSyntaxError:
        raise AssertionError(f"the parser refuses {changed!r}") from None
