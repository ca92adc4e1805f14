"""Which digest-uri may stand for which Request-URI."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.digest import same_target

REQUEST = "sip:alice@example.com"


@pytest.mark.parametrize(
    ("digest_uri", "request_uri"),
    [
        (REQUEST, REQUEST),
        ("SIP:alice@EXAMPLE.com", REQUEST),
        ("sip:%61lice@example.com", REQUEST),
        ("sip:alice@example.com;transport=tcp", REQUEST),
        (REQUEST, "sip:alice@example.com;transport=tcp?Subject=x"),
        ("sip:alice@example.com:5060", REQUEST),
        ("sips:a@[2001:db8::1]:5061", "sips:a@[2001:DB8::1]"),
        ("sip:a;x=y@example.com", "sip:a%3Bx=y@example.com;lr"),
        ("sip:example.com", "sip:example.com:5060"),
        ("sip:alice@example.com.", REQUEST),
        ("sip:alice@example.com.:5070", "sip:alice@example.com:5070"),
        ("sip:MAC%3a0004f2@example.com", "sip:MAC:0004f2@example.com"),
        ("/a%20b?c", "/a b?c"),
        ("http://host:8060/x?y", "/x?y"),
        ("http://host", "/"),
        ("*", "*"),
    ],
)
def test_these_are_the_same(digest_uri: str, request_uri: str) -> None:
    assert same_target(digest_uri, request_uri) and same_target(request_uri, digest_uri)


@pytest.mark.parametrize(
    ("digest_uri", "request_uri"),
    [
        ("sip:bob@example.com", REQUEST),
        ("sip:ALICE@example.com", REQUEST),
        ("sips:alice@example.com", REQUEST),
        ("sip:alice@example.net", REQUEST),
        ("sip:alice@example.com:5062", REQUEST),
        ("sip:example.com", REQUEST),
        ("sip:alice@example.com.evil;x=@example.com", REQUEST),
        ("sip:a@[2001:db8::5060]", "sip:a@[2001:db8::5061]"),
        ("/x?y", "/x"),
        ("/x?y", "/x?z"),
        ("/X", "/x"),
        ("", REQUEST),
        ("", "/x"),
    ],
)
def test_these_are_not(digest_uri: str, request_uri: str) -> None:
    assert not same_target(digest_uri, request_uri) and not same_target(request_uri, digest_uri)


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared_either_way(one: str, other: str) -> None:
    assert same_target(one, other) == same_target(other, one)
    assert same_target(one, one)
