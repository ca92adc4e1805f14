"""SIP URIs: what phones write, what RFC 4475 tries, and what comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.syntax import URI, SIPSyntaxError


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:MAC%3a00135E874B49@intern.snom.de", "MAC:00135E874B49", "intern.snom.de", None),  # Snom
        ("sip:MAC001565f4f9e1@224.0.1.75", "MAC001565f4f9e1", "224.0.1.75", None),  # Yealink W52P
        ("sip:MAC001565f4f9e1@192.0.2.7:5059", "MAC001565f4f9e1", "192.0.2.7", 5059),
        ("sip:MAC%3AC074AD112233@224.0.1.75", "MAC:C074AD112233", "224.0.1.75", None),  # Grandstream
        ("sip:MAC=00304fa99948@224.0.1.75", "MAC=00304fa99948", "224.0.1.75", None),  # Planet
        ("sip:MAC:00304fa99948@224.0.1.75", "MAC:00304fa99948", "224.0.1.75", None),
        ("sip:224.0.1.75:5060", None, "224.0.1.75", 5060),  # AudioCodes
        ("sip:_sipuaconfig.example.net", None, "_sipuaconfig.example.net", None),
        ("sip:urn%3auuid%3af81d4fae-7dec@example.com", "urn:uuid:f81d4fae-7dec", "example.com", None),
        ("SIPS:Alice@EXAMPLE.com:5061;transport=tcp", "Alice", "example.com", 5061),
        ("sip:alice@[2001:DB8::1]:5070;lr", "alice", "[2001:db8::1]", 5070),
        ("sip:[::1]", None, "[::1]", None),
        ("sip:192.0.2.9:5060.", None, "192.0.2.9", 5060),  # Yealink's stray dot
        ("sip:alice:secret@example.com", "alice", "example.com", None),
        ("sip:user;par=u%40example.net@example.com", "user;par=u@example.net", "example.com", None),  # RFC 4475
        ("sip:alice@[FE80::1%25eth0]:5062;transport=udp", "alice", "[fe80::1%25eth0]", 5062),  # Linphone, Asterisk
        ("sip:sips%3Auser%2540example.com@example.net", "sips:user%40example.com", "example.net", None),  # once only
        ("sip:a%00b@example.com", "a\x00b", "example.com", None),
        ("sip:%ff@example.com", "%FF", "example.com", None),
    ],
)
def test_uri_of_phones_and_of_the_torture_set(text: str, user: str | None, host: str, port: int | None) -> None:
    uri = URI.parse(text)
    assert (uri.decoded_user, uri.host, uri.port) == (user, host, port)


def test_uri_parts() -> None:
    uri = URI.parse("sip:bob@example.com;Transport=TCP;lr?Subject=x&Route=%3Csip:a%3E")
    assert uri.scheme == "sip" and uri.parameters == {"transport": "TCP", "lr": None}
    assert uri.headers == "Subject=x&Route=%3Csip:a%3E"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("alice@example.com", 400),
        ("sip:", 400),
        ("sip:@example.com", 400),
        ("sip::secret@example.com", 400),
        ("sip:alice@", 400),
        ("sip:al ice@example.com", 400),
        ("sip:alice@exa mple.com", 400),
        ("<sip:alice@example.com>", 400),
        ("sip:alice@example.com;x=\x00", 400),  # a Contact becomes the start line of our NOTIFY
        ("sip:alice@example.com?x=a b", 400),
        ('sip:alice@example.com;x="y"', 400),
        ("sip:alice@[fe80::1%]", 400),
        ("sip:alice@[fe80::1%4", 400),
        ("sip:alice@[%4]", 400),
        ("sip:alice@192.0.2.1%4", 400),
        ("sip:alice@example.com:0", 400),
        ("sip:alice@example.com:65536", 400),
        ("sip:alice@example.com:5060x", 400),
        ("sip:alice@example.com:\u0665\u0660\u0666\u0660", 400),  # digits of another script
        ("sip:alice@[::1", 400),
        ("soap.beep://192.0.2.103:3002", 416),
        ("tel:+15551234", 416),
    ],
)
def test_bad_uri_has_its_status(text: str, status: int) -> None:
    with pytest.raises(SIPSyntaxError) as caught:
        URI.parse(text)
    assert caught.value.status == status


@given(st.text())
def test_uri_of_any_text_parses_or_is_a_syntax_error(text: str) -> None:
    for candidate in (text, f"sip:{text}", f"sip:a@b;{text}"):
        try:
            uri = URI.parse(candidate)
        except SIPSyntaxError:
            continue
        assert uri.host and uri.decoded_user != ""


_WORD = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_.!~*'", min_size=1)
_HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{1,5}){0,2}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)
URIS = st.builds(
    URI,
    st.sampled_from(["sip", "sips"]),
    st.none() | st.text("abcXYZ019-_.!~*'()&=+$,;?/%@", min_size=1),
    _HOSTS,
    st.none() | st.integers(1, 65535),
    st.dictionaries(_WORD.map(str.lower), st.none() | _WORD),
    st.just("") | st.just("subject=x&priority=urgent"),
)


@given(URIS)
def test_uri_is_the_same_after_a_round_trip(uri: URI) -> None:
    assert URI.parse(str(uri)) == uri
