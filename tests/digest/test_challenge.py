"""WWW-Authenticate, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.digest import Challenge, DigestSyntaxError

WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)


def test_it_is_written_as_old_phones_know_it() -> None:
    challenge = Challenge("example.com", "n1", qop=("auth",), stale=True, opaque="o")
    assert str(challenge) == 'Digest realm="example.com", qop="auth", nonce="n1", opaque="o", stale=true, algorithm=MD5'


def test_the_example_of_rfc_7616_is_read() -> None:
    text = """Digest
       realm="http-auth@example.org",
       qop="auth, auth-int",
       algorithm=SHA-256,
       nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
       opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""""
    assert Challenge.parse(text.replace("\n", "\r\n")) == Challenge(
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "SHA-256",
        ("auth", "auth-int"),
        opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    )


def test_a_sloppy_one_is_read() -> None:
    text = 'digest Realm=x,nonce=y,Stale="TRUE",algorithm="MD5",qop=Auth'
    assert Challenge.parse(text) == Challenge("x", "y", qop=("auth",), stale=True)


def test_without_an_algorithm_it_is_md5_and_without_qop_rfc_2069() -> None:
    assert Challenge.parse('Digest realm="x", nonce="y"') == Challenge("x", "y", "MD5", ())


def test_another_scheme_is_none() -> None:
    assert Challenge.parse('Basic realm="x"') is None


@pytest.mark.parametrize("text", ["", 'Digest realm="x"', 'Digest nonce="x"', "Digest"])
def test_one_that_cannot_be_answered_is_an_error(text: str) -> None:
    with pytest.raises(DigestSyntaxError):
        Challenge.parse(text)


@given(st.text().map(lambda rest: "Digest realm=a, nonce=b, " + rest) | st.text())
def test_any_text_gives_a_value_or_the_error(text: str) -> None:
    try:
        challenge = Challenge.parse(text)
    except DigestSyntaxError:
        return
    assert challenge is None or Challenge.parse(str(challenge)) == challenge


@given(
    st.builds(
        Challenge,
        WORDS,
        WORDS,
        WORDS,
        st.sampled_from([(), ("auth",), ("auth", "auth-int")]),
        st.booleans(),
        st.none() | WORDS,
        st.none() | WORDS,
    )
)
def test_what_is_written_is_read_back(challenge: Challenge) -> None:
    assert Challenge.parse(str(challenge)) == challenge
