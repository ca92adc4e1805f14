"""Which profile a SUBSCRIBE means, and what of it may be seen (RFC 6080)."""

import pytest

from gitops_profile.event_packages import UAProfile
from gitops_profile.event_packages.media import accepted
from gitops_profile.presentity import (
    PresentityTable,
    ProfileAdded,
    ProfileDocument,
    ProfileKey,
    RevisionApplied,
    RevisionStamp,
)
from gitops_profile.sip import Flow, SubscriptionRefused
from gitops_profile.sip.syntax import EventHeader, Request

STAMP = RevisionStamp("a" * 40, "A", "C", "2026-01-01T00:00:00Z", "m")
ALICE = ProfileKey.user("example.com", "alice")
PHONE = ProfileKey.device("example.com", "0004f2a1b2c3")
LOBBY = ProfileKey.device("example.com", "lobby")
NETWORK = ProfileKey.local_network("example.com")
SECRET = ProfileKey.user("example.com", "secret")


def table() -> PresentityTable:
    result = PresentityTable()
    for key in (ALICE, PHONE, LOBBY, NETWORK):
        result.apply(ProfileAdded(ProfileDocument(key, "text/xml", str(key).encode(), "p", effective_by=5), STAMP))
    result.apply(ProfileAdded(ProfileDocument(SECRET, "text/xml", b"s3cret", "p", sensitive=True), STAMP))
    result.apply(RevisionApplied(STAMP, "main", "profiles", 1, 5, 0, 0))
    return result


LOOPBACK = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 5062))
OUTSIDE = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5062))


def package(of: PresentityTable | None = None) -> UAProfile:
    return UAProfile(table() if of is None else of, lambda domain, loopback: loopback)


def ask(uri: str, event: str = "ua-profile", flow: Flow = LOOPBACK) -> str:
    return package().resource(Request("SUBSCRIBE", uri), EventHeader.parse(event), flow)


@pytest.mark.parametrize(
    ("uri", "event", "key"),
    [
        ("sip:alice@example.com", "ua-profile", ALICE),
        ("sip:alice@EXAMPLE.COM:5060", "ua-profile;profile-type=user", ALICE),
        ("sip:%61lice@example.com", 'ua-profile;profile-type="user"', ALICE),
        ("sip:lobby@example.com", "ua-profile", LOBBY),
        ("sip:MAC%3a0004F2A1B2C3@example.com", "ua-profile", PHONE),
        ("sip:MAC:0004f2a1b2c3@example.com", "ua-profile;profile-type=device", PHONE),
        ("sip:MAC=0004f2a1b2c3@example.com", "ua-profile;profile-type=device", PHONE),
        (
            "sip:urn%3auuid%3a00000000-0000-1000-8000-0004F2A1B2C3@_sipuaconfig.example.com",
            'ua-profile;profile-type=device;vendor="v.example.com";model="Z100";version="1.2.3"',
            PHONE,
        ),
        ("sip:_sipuaconfig.example.com", "ua-profile;profile-type=local-network", NETWORK),
        ("sip:example.com", "ua-profile", NETWORK),
    ],
)
def test_requests_that_name_a_profile(uri: str, event: str, key: ProfileKey) -> None:
    assert ask(uri, event) == str(key)


@pytest.mark.parametrize(
    ("uri", "event", "status"),
    [
        ("sip:nobody@example.com", "ua-profile", 403),
        ("sip:ALICE@example.com", "ua-profile", 403),
        ("sip:alice@other.example", "ua-profile", 403),
        ("sip:alice@example.com", "ua-profile;profile-type=device", 403),
        ("sip:alice@example.com", "ua-profile;profile-type=application", 404),
        ("sip:example.com", "ua-profile;profile-type=user", 404),
        ("sip:a%00b@example.com", "ua-profile", 404),
    ],
)
def test_requests_that_are_refused(uri: str, event: str, status: int) -> None:
    with pytest.raises(SubscriptionRefused) as refused:
        ask(uri, event)
    assert refused.value.status == status


def test_a_domain_that_is_not_served_there_looks_like_one_that_is_not_known() -> None:
    with pytest.raises(SubscriptionRefused) as refused:
        ask("sip:alice@example.com", flow=OUTSIDE)
    assert (refused.value.status, refused.value.reason) == (403, "Not provisioned")


def test_before_the_first_revision_everybody_is_told_to_come_back() -> None:
    with pytest.raises(SubscriptionRefused) as refused:
        package(PresentityTable()).resource(Request("SUBSCRIBE", "sip:a@b"), EventHeader.parse("ua-profile"), LOOPBACK)
    assert refused.value.status == 503


def test_a_document_is_rendered_once_for_all() -> None:
    profiles = package()
    first, again = profiles.state(str(ALICE), None), profiles.state(str(ALICE), "text/xml")
    assert first is again and first is not None
    assert first.content.endswith(b"\r\n\r\n" + str(ALICE).encode()) and first.event_parameters == ";effective-by=5"


def test_a_sensitive_document_never_travels_in_the_clear() -> None:
    state = package().state(str(SECRET), None)
    assert state is not None and b"s3cret" not in state.content and state.withheld is not None


def test_a_type_that_is_not_accepted_is_not_sent() -> None:
    profiles = package()
    assert not profiles.accepts(str(ALICE), "image/png")
    state = profiles.state(str(ALICE), "image/png")
    assert state is not None and state.body_size == 0 and state.withheld is not None


@pytest.mark.parametrize(
    ("accept", "verdict"),
    [
        ("text/xml", True), ("TEXT/XML;charset=utf-8", True), ("text/*", True), ("*/*", True), ("a/b, text/xml", True),
        ("text/plain", False), ("text/xml;q=0", False), ("", False), ("application/url", False),
    ],
)  # fmt: skip
def test_accept_ranges(accept: str, verdict: bool) -> None:
    assert accepted(accept, "text/xml; charset=utf-8") is verdict
