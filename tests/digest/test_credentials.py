"""Authorization as phones write it, and as nobody should."""

import time
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitops_profile.digest import Credentials, DigestSyntaxError, choose_credentials

FULL = Credentials(
    username="alice",
    realm="example.com",
    nonce="abc==",
    uri="sip:alice@example.com",
    response="0" * 32,
    algorithm="MD5",
    cnonce="xyz",
    opaque="",
    qop="auth",
    nc="00000001",
)
NICE = (
    'Digest username="alice", realm="example.com", nonce="abc==", uri="sip:alice@example.com", '
    f'response="{"0" * 32}", algorithm=MD5, cnonce="xyz", opaque="", qop=auth, nc=00000001'
)
# Any text that a header can carry: no control characters but the tab, no lone surrogates but those of undecoded bytes.
WORDS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cc", "Cs"]),
        st.sampled_from('\t"\\,= '),
        st.characters(codec="ascii").filter(str.isprintable),
    ),
    max_size=20,
)
MAYBE = st.none() | WORDS


def test_the_usual_form_is_read_and_written() -> None:
    assert Credentials.parse(NICE) == FULL
    assert str(FULL) == NICE


@pytest.mark.parametrize(
    "text",
    [
        NICE.replace("nc=00000001", 'nc="00000001"').replace("qop=auth", 'qop="auth"'),
        NICE.replace("algorithm=MD5", 'algorithm="MD5"'),
        NICE.replace('username="alice"', "username=alice").replace('nonce="abc=="', "nonce=abc=="),
        NICE.replace('uri="sip:alice@example.com"', "uri=sip:alice@example.com"),
        NICE.replace("Digest", "dIGEST").replace("realm=", "Realm="),
        NICE.replace(", ", ","),
        NICE.replace(", ", " ,\r\n\t"),
        NICE.replace("=", " = ").replace("abc =  = ", "abc=="),
        NICE.replace(", ", ", ,") + " , ",
        NICE.replace('"alice"', r'"\a\lice"'),
        NICE.replace("qop=auth", "qop=AUTH"),
        NICE + ', something="else"',
    ],
)
def test_sloppy_forms_mean_the_same(text: str) -> None:
    assert Credentials.parse(text) == FULL


@pytest.mark.parametrize("text", ["Basic YTpi", "NoOneKnowsThisScheme opaque-data=here", 'Bearer ,"', "Digester a=b"])
def test_another_scheme_is_as_if_absent(text: str) -> None:
    assert Credentials.parse(text) is None  # RFC 4475 §3.3.7


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        '"Digest"',
        "Digest username",
        'Digest username="alice',
        'Digest username="alice\\"',
        'Digest username="a" realm="b"',
        'Digest username="a"b',
        "Digest a=b c=d",
        "Digest =x",
        "Digest,a=b",
        'Digest realm="a", REALM="b"',
        'Digest realm="a\x00b"',
        'Digest realm="\ud800"',
        "Digest username=a, username*=UTF-8''a",
        "Digest username*=latin1''a",
        "Digest username*=a",
        "Digest username*=UTF-8''%FF",
        "Digest username*=UTF-8''a%0D%0Ab",
    ],
)
def test_what_two_readers_could_read_differently_is_an_error(text: str) -> None:
    with pytest.raises(DigestSyntaxError):
        Credentials.parse(text)


def test_nothing_is_given_when_there_is_nothing() -> None:
    assert Credentials.parse("Digest") == Credentials.parse("Digest ") == Credentials()


def test_a_name_in_rfc_5987_form_is_decoded() -> None:
    credentials = Credentials.parse("Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, userhash=false")
    assert credentials == Credentials(username="Jäsøn Doe")


def test_a_folded_line_in_quotes_is_space() -> None:
    assert Credentials.parse('Digest opaque="a\r\n b"') == Credentials(opaque="a  b")  # RFC 3261 §7.3.1


def test_bytes_that_are_no_utf_8_are_kept() -> None:
    text = b'Digest username="J\xf8n"'.decode("utf-8", "surrogateescape")
    credentials = Credentials.parse(text)
    assert credentials is not None and credentials.username is not None
    assert credentials.username.encode("utf-8", "surrogateescape") == b"J\xf8n"


@given(st.text() | st.text().map(lambda rest: "Digest " + rest))
@example('Digest a="\\')
def test_any_text_gives_a_value_or_the_error(text: str) -> None:
    try:
        credentials = Credentials.parse(text)
    except DigestSyntaxError:
        return
    assert credentials is None or Credentials.parse(str(credentials)) == credentials


@given(
    st.builds(
        Credentials,
        username=MAYBE,
        realm=MAYBE,
        nonce=MAYBE,
        uri=MAYBE,
        response=MAYBE,
        algorithm=MAYBE,
        cnonce=MAYBE,
        opaque=MAYBE,
        qop=st.sampled_from([None, "auth", "auth-int"]),
        nc=MAYBE,
        userhash=st.booleans(),
    )
)
def test_what_is_written_is_read_back(credentials: Credentials) -> None:
    assert Credentials.parse(str(credentials)) == credentials


@pytest.mark.parametrize("value", ["a\r\nVia: x", "a\n", "\x00"])
def test_no_value_can_begin_another_header(value: str) -> None:
    for credentials in (replace(FULL, username=value), replace(FULL, qop=value)):
        with pytest.raises(DigestSyntaxError):
            str(credentials)


@pytest.mark.parametrize(
    "text",
    [
        'Digest a="' + "\\" * 200_000,
        "Digest a=" + " " * 200_000 + '"',
        "Digest " + "a" * 200_000,
        "Digest " + "," * 200_000 + '"',
        "Digest " + "a=b " * 50_000,
        'Digest a="' + "\r\n " * 60_000,
        " " * 200_000,
        "Digest " + ",".join(f"a{n}=b" for n in range(30_000)),
        'Digest a="' + '\\"' * 100_000,
    ],
)
def test_no_text_takes_longer_than_its_length(text: str) -> None:
    begun = time.process_time()
    try:
        Credentials.parse(text)
    except DigestSyntaxError:
        pass
    assert time.process_time() - begun < 1.0  # quadratic would be minutes


def test_the_response_is_not_shown() -> None:
    assert "0" * 32 not in repr(FULL)


def test_the_error_does_not_show_what_was_sent() -> None:
    with pytest.raises(DigestSyntaxError) as raised:
        Credentials.parse('Digest username="geheim", response="geheim" geheim')
    assert "geheim" not in str(raised.value)


def test_of_several_headers_those_for_the_realm_are_taken() -> None:
    ours, theirs = 'Digest username="a", realm="ours"', 'Digest username="b", realm="theirs"'
    assert choose_credentials([theirs, "Basic x", "Digest (", ours], "ours") == Credentials(username="a", realm="ours")
    assert choose_credentials([theirs, ours], "nobody's") == Credentials(username="b", realm="theirs")
    assert (
        choose_credentials(["Basic x"], "ours")
        is choose_credentials([""], "ours")
        is choose_credentials([], "ours")
        is None
    )
    with pytest.raises(DigestSyntaxError):
        choose_credentials(["Digest (", theirs], "ours")
