"""Via, and what a response makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.syntax import SIPSyntaxError, Via, received_via

SOURCE = ("192.0.2.9", 40000)


@pytest.mark.parametrize(
    ("text", "sent_by", "branch"),
    [
        ("SIP/2.0/UDP 192.0.2.9:5060;rport", ("192.0.2.9", 5060), None),  # Snom: no branch
        ("SIP/2.0/UDP 192.0.2.9:5059;branch=z9hG4bK1536537630", ("192.0.2.9", 5059), "z9hG4bK1536537630"),  # Yealink
        ("SIP/2.0/UDP 192.0.2.9:5059.;branch=z9hG4bK1", ("192.0.2.9", 5059), "z9hG4bK1"),  # Yealink T21P
        ("SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK2;rport", ("192.0.2.9", 5080), "z9hG4bK2"),  # Grandstream
        ("SIP/2.0/TCP Phone.Example.COM", ("phone.example.com", 5060), None),
        ("SIP/2.0/TLS phone.example.com", ("phone.example.com", 5061), None),
        ("SIP / 2.0\t/ UDP  192.0.2.2 : 5070 ; branch = z9hG4bK3", ("192.0.2.2", 5070), "z9hG4bK3"),  # RFC 4475
        ("SIP/2.0/UNKNOWN t4.example.com;branch=b", ("t4.example.com", 5060), "b"),
        ("SIP/2.0/UDP [fe80::1%4]:5062;received=fe80::1%4;branch=b", ("[fe80::1%4]", 5062), "b"),  # Linphone
        ("SIP/2.0/UDP [2001:DB8::9:1]:5070;received=192.0.2.1;branch=b", ("[2001:db8::9:1]", 5070), "b"),
    ],
)
def test_via(text: str, sent_by: tuple[str, int], branch: str | None) -> None:
    via = Via.parse(text)
    assert (via.sent_by, via.branch) == (sent_by, branch)


@pytest.mark.parametrize(
    "text",
    ["", "SIP/7.0/UDP a;branch=b", "SIP/2.0/UDP", "SIP/2.0/UDP a b", "SIP/2.0/UDP a:x", "UDP a",
     "SIP/2.0/UDP 192.0.2.15;;,;,,", "SIP/2.0/UDP a:\u0665", "SIP/2.0/UDP a:0", "SIP/2.0/UDP a:65536",
     "SIP/2.0/UDP [fe80::1%]", "SIP/2.0/UDP h%4"],
)  # fmt: skip
def test_bad_via(text: str) -> None:
    with pytest.raises(SIPSyntaxError):
        Via.parse(text)


@pytest.mark.parametrize(
    ("text", "answered"),
    [
        ("SIP/2.0/UDP 192.0.2.9;branch=b", "SIP/2.0/UDP 192.0.2.9;branch=b"),
        ("SIP/2.0/UDP 10.0.0.1;branch=b", "SIP/2.0/UDP 10.0.0.1;branch=b;received=192.0.2.9"),
        ("SIP/2.0/UDP phone.example.com;branch=b", "SIP/2.0/UDP phone.example.com;branch=b;received=192.0.2.9"),
        ("SIP/2.0/UDP 192.0.2.9;rport;branch=b", "SIP/2.0/UDP 192.0.2.9;rport=40000;branch=b;received=192.0.2.9"),
        ("SIP/2.0/UDP 10.0.0.1;RPORT", "SIP/2.0/UDP 10.0.0.1;RPORT=40000;received=192.0.2.9"),
        ("SIP/2.0/UDP 10.0.0.1;rport=1;received=6.6.6.6;branch=b",
         "SIP/2.0/UDP 10.0.0.1;rport=40000;branch=b;received=192.0.2.9"),  # what the sender claims counts for nothing
        ("SIP/2.0/UDP 192.0.2.9;received=6.6.6.6;branch=b", "SIP/2.0/UDP 192.0.2.9;branch=b"),
        ("SIP/2.0/UDP 10.0.0.1 ; received ;branch=b", "SIP/2.0/UDP 10.0.0.1 ;branch=b;received=192.0.2.9"),
        ('SIP/2.0/UDP h;x=";rport;received=1";rport',
         'SIP/2.0/UDP h;x=";rport;received=1";rport=40000;received=192.0.2.9'),  # what is quoted is no parameter
        ("SIP/2.0/UDP 10.0.0.1;RPORT;rport", "SIP/2.0/UDP 10.0.0.1;RPORT=40000;rport=40000;received=192.0.2.9"),
        ("SIP/2.0/UDP 10.0.0.1;rportx=1;rport", "SIP/2.0/UDP 10.0.0.1;rportx=1;rport=40000;received=192.0.2.9"),
    ],
)  # fmt: skip
def test_received_and_rport(text: str, answered: str) -> None:
    assert received_via(text, Via.parse(text), SOURCE) == answered


def test_received_of_ipv6_is_compared_without_brackets() -> None:
    text = "SIP/2.0/UDP [2001:db8::1]:5060;branch=b"
    assert received_via(text, Via.parse(text), ("2001:db8::1", 5060)) == text


def test_received_of_ipv6_is_compared_without_the_zone() -> None:
    text = "SIP/2.0/UDP [fe80::1%eth0]:5060;branch=b"
    assert received_via(text, Via.parse(text), ("fe80::1", 5060)) == text
    assert received_via(text, Via.parse(text), ("fe80::2", 5060)) == f"{text};received=fe80::2"


@pytest.mark.parametrize("end", [";rport", ";rport;branch=b"])
def test_the_number_of_our_interface_is_told_to_nobody(end: str) -> None:
    text = f"SIP/2.0/UDP [fe80::1]:5060{end}"
    answered = text.replace(";rport", ";rport=5060")
    assert received_via(text, Via.parse(text), ("fe80::1%3", 5060)) == f"{answered};received=fe80::1"


@given(st.text() | st.text('SIP/2.0UDP ;=:,abc[]"', max_size=60), st.booleans())
def test_via_of_any_text_parses_or_is_a_syntax_error(text: str, prefixed: bool) -> None:
    text = f"SIP/2.0/UDP h;{text}" if prefixed else text
    try:
        via = Via.parse(text)
    except SIPSyntaxError:
        return
    again = Via.parse(received_via(text, via, SOURCE))
    assert again.sent_by == via.sent_by and again.branch == via.branch
