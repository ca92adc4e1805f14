"""Which profile a SUBSCRIBE means, and what of it may be seen (RFC 6080)."""

import email
import email.policy
import email.utils
import hashlib
import re
from datetime import timedelta

import pytest

from gitops_profile.event_packages import UAProfile
from gitops_profile.event_packages.media import accepted, listed
from gitops_profile.presentity import (
    PresentityTable,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    RevisionApplied,
    RevisionStamp,
    concealed_tag,
)
from gitops_profile.sip import NO_CONTENT, Audience, SubscriptionRefused
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


PLAIN = Audience()
TRUSTED = Audience(identified=True, secure=True)


def package(of: PresentityTable | None = None, *, url: str | None = None, accept_unknown: bool = False) -> UAProfile:
    return UAProfile(
        table() if of is None else of,
        url_of=lambda key, shown: url,
        takes_unknown_devices=lambda domain: accept_unknown and domain == "example.com",
    )


def ask(uri: str, event: str = "ua-profile", of: UAProfile | None = None) -> str:
    return (of or package()).resource(Request("SUBSCRIBE", uri), EventHeader.parse(event))


@pytest.mark.parametrize(
    ("uri", "event", "key"),
    [
        ("sip:alice@example.com", "ua-profile", ALICE),
        ("sip:alice@EXAMPLE.COM:5060", "ua-profile;profile-type=user", ALICE),
        ("sip:%61lice@example.com", 'ua-profile;profile-type="user"', ALICE),
        ("sip:alice@example.com", "ua-profile;profile-type=User", ALICE),
        ("sip:lobby@example.com", "ua-profile", LOBBY),
        ("sip:00:04:F2:A1:B2:C3@example.com", "ua-profile;profile-type=Device", PHONE),
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
    """Checklist rows 55, 56: RFC 6080 §5.1.4."""
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
    """Checklist row 43: RFC 6080 §6.6, §9.3."""
    with pytest.raises(SubscriptionRefused) as refused:
        ask(uri, event)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("uri", "domain"),
    [
        ("sip:alice@EXAMPLE.com", "example.com"),
        ("sip:_sipuaconfig.example.com", "example.com"),
        ("sip:x@[::1]:5060", "[::1]"),
    ],
)
def test_the_domain_that_a_request_is_about(uri: str, domain: str) -> None:
    assert package().domain(Request("SUBSCRIBE", uri)) == domain


def test_before_the_first_revision_everybody_is_told_to_come_back() -> None:
    with pytest.raises(SubscriptionRefused) as refused:
        ask("sip:a@b", of=package(PresentityTable()))
    assert refused.value.status == 503


def test_a_document_is_rendered_once_for_all() -> None:
    """Checklist row 46: RFC 6080 §6.2.3."""
    profiles = package()
    first, again = profiles.state(str(ALICE), PLAIN), profiles.state(str(ALICE), Audience("text/xml", "Snom"))
    assert first is again and first is not None
    assert first.content.endswith(b"\r\n\r\n" + str(ALICE).encode()) and first.event_parameters == ";effective-by=5"


EXTERNAL = "message/external-body, text/xml"
HTTP, HTTPS = "http://prov.example.com/x", "https://prov.example.com/x"


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("identified", [False, True])
@pytest.mark.parametrize("url", [None, HTTP, HTTPS])
@pytest.mark.parametrize("accept", [None, "text/xml", EXTERNAL, "message/external-body"])
def test_a_sensitive_document_travels_protected_or_as_an_https_link_or_not_at_all(
    secure: bool, identified: bool, url: str | None, accept: str | None
) -> None:
    """Checklist row 42: transport × authentication × class."""
    state = package(url=url).state(str(SECRET), Audience(accept, identified=identified, secure=secure))
    assert state is not None
    inline = b"s3cret" in state.content
    pointed = b"message/external-body" in state.content
    takes_xml, takes_links = accept != "message/external-body", accept is not None and "external" in accept
    assert inline == (secure and identified and takes_xml)
    assert pointed == (not inline and identified and url == HTTPS and takes_links)
    assert (state.withheld is None) == (inline or pointed)
    if not inline and not pointed:
        assert state.sip_etag.endswith(".withheld") and state.content == NO_CONTENT


def test_what_is_told_of_a_sensitive_document_without_it_gives_no_hash_of_it_away() -> None:
    profiles = UAProfile(
        table(),
        url_of=lambda key, shown: HTTPS,
        tag_of=lambda shown: concealed_tag(shown.etag, b"k" * 32) if shown.sensitive else shown.etag,
    )
    document = ProfileDocument(SECRET, "text/xml", b"s3cret", "p", sensitive=True)
    for audience in (PLAIN, Audience("message/external-body", identified=True)):
        state = profiles.state(str(SECRET), audience)
        assert state is not None
        told = state.content + state.etag.encode() + state.sip_etag.encode()
        for known in (document.etag, hashlib.sha1(b"s3cret").hexdigest(), hashlib.md5(b"s3cret").hexdigest()):
            assert known.encode() not in told
    open_one = profiles.state(str(ALICE), Audience("message/external-body"))
    assert open_one is not None and b"hash=" in open_one.content


def test_an_open_document_is_pointed_to_only_for_who_asks_for_links_and_can_follow_them() -> None:
    """Checklist rows 13 and 49."""
    http, https = package(url=HTTP), package(url=HTTPS)

    def pointer(profiles: UAProfile, audience: Audience) -> bool:
        state = profiles.state(str(ALICE), audience)
        assert state is not None
        return state.link is not None

    assert pointer(http, Audience(EXTERNAL)) and pointer(https, Audience(EXTERNAL))
    assert not pointer(http, Audience("*/*")) and not pointer(http, Audience("message/*")) and not pointer(http, PLAIN)
    assert not pointer(package(), Audience(EXTERNAL))
    assert pointer(https, Audience(EXTERNAL, schemes="https")) and not pointer(
        http, Audience(EXTERNAL, schemes="https")
    )
    assert not pointer(https, Audience(EXTERNAL, schemes="ftp"))


def test_who_takes_only_links_gets_one() -> None:
    profiles = package(url=HTTP)
    only = Audience("message/external-body")
    assert profiles.accepts(str(ALICE), only)
    state = profiles.state(str(ALICE), only)
    assert state is not None and state.withheld is None and b'URL="http://prov.example.com/x"' in state.content


@pytest.mark.parametrize(
    ("accept", "verdict"),
    [
        ("application/x-z100-device-profile, message/external-body", False),
        ("text/xml;q=0, message/external-body", False),
        ("message/external-body, message/*", False),
        (EXTERNAL, True),
        ("message/external-body, */*", True),
        (",message / external-body ;q=0.5,", True),
    ],
)
def test_a_link_leads_to_a_type_that_is_accepted_or_is_all_that_was_named(accept: str, verdict: bool) -> None:
    """RFC 6080 §6.2.1: Accept lists the types of profiles beside the link's."""
    profiles = package(url=HTTP)
    assert profiles.accepts(str(ALICE), Audience(accept)) is verdict
    state = profiles.state(str(ALICE), Audience(accept))
    assert state is not None and (state.withheld is None) is verdict


def test_a_document_that_becomes_another_type_is_withheld_from_who_takes_links_to_the_old_one() -> None:
    of = table()
    profiles = package(of, url=HTTP)
    of.apply(ProfileChanged(ProfileDocument(ALICE, "application/json", b"{}", "q"), STAMP))
    state = profiles.state(str(ALICE), Audience(EXTERNAL))
    assert (
        state is not None and state.link is None and state.withheld == "the subscriber does not accept application/json"
    )


def test_a_link_is_read_by_an_independent_mime_parser() -> None:
    """Checklist rows 47 and 48: RFC 4483 §5.6-5.12."""
    state = package(url=HTTPS).state(str(ALICE), Audience(EXTERNAL))
    assert state is not None and state.link is not None
    head, blank, body = state.link.content.partition(b"\r\n\r\n")
    outer = email.message_from_bytes(head + blank + body, policy=email.policy.HTTP)
    assert outer.get_content_type() == "message/external-body" and int(outer["Content-Length"]) == len(body)
    parameters = dict((outer.get_params(unquote=True) or [])[1:])
    assert parameters["access-type"] == "URL" and parameters["url"] == HTTPS
    assert email.utils.parsedate_to_datetime(parameters["expiration"]).utcoffset() == timedelta(0)
    assert parameters["expiration"].endswith(" GMT")
    document = str(ALICE).encode()
    assert parameters["size"] == str(len(document)) and parameters["hash"] == hashlib.sha1(document).hexdigest()
    inner = email.message_from_bytes(body)
    assert inner.get_content_type() == "text/xml" and inner["Content-Disposition"] == "render"
    assert re.fullmatch(r"<[0-9a-f]{32}@prov\.example\.com>", inner["Content-ID"])


def test_a_content_id_at_an_ipv6_address_has_it_in_brackets() -> None:
    """RFC 5322 §3.6.4: no-fold-literal."""
    state = package(url="https://[2001:db8::1]:8443/x").state(str(ALICE), Audience("message/external-body"))
    assert state is not None and re.search(rb"\r\nContent-ID: <[0-9a-f]{32}@\[2001:db8::1\]>\r\n", state.content)


def test_the_content_id_changes_with_the_content_and_with_nothing_else() -> None:
    of = table()
    profiles = package(of, url=HTTPS)

    def content_id() -> bytes:
        state = profiles.state(str(ALICE), Audience("message/external-body"))
        assert state is not None
        found = re.search(rb"Content-ID: (\S+)", state.content)
        assert found is not None
        return found[1]

    first = content_id()
    of.apply(ProfileChanged(ProfileDocument(ALICE, "text/xml", str(ALICE).encode(), "q", effective_by=5), STAMP))
    assert content_id() == first
    of.apply(ProfileChanged(ProfileDocument(ALICE, "text/xml", b"<new/>", "q", effective_by=5), STAMP))
    assert content_id() != first


def test_a_type_that_is_not_accepted_is_not_sent() -> None:
    """Checklist rows 12, 13: RFC 6080 §6.5."""
    profiles = package()
    for accept in ("image/png", "", "message/external-body"):  # no document is a link here
        assert not profiles.accepts(str(ALICE), Audience(accept))
    state = profiles.state(str(ALICE), Audience("image/png"))
    assert state is not None and state.body_size == 0 and state.withheld is not None


def test_an_unknown_device_is_refused_or_gets_the_default_by_policy() -> None:
    """Checklist row 43. Unknown users are refused in any case (RFC 6080 §9.3)."""
    of = table()
    profiles = package(of, accept_unknown=True)
    device = "ua-profile;profile-type=device"
    new = ask("sip:00-15-65-aa-bb-cc@example.com", device, profiles)
    assert new == "device/example.com/001565aabbcc" and profiles.state(new, PLAIN) is None
    for uri, event in (("sip:nobody@example.com", "ua-profile;profile-type=user"), ("sip:x@other.example", device)):
        with pytest.raises(SubscriptionRefused):
            ask(uri, event, profiles)
    default = ProfileKey.device("example.com", "default")
    of.apply(ProfileAdded(ProfileDocument(default, "text/xml", b"<default/>", "p"), STAMP))
    state = profiles.state(new, PLAIN)
    assert state is not None and state.content.endswith(b"<default/>")
    others = [str(PHONE), new, str(ALICE), "device/other.example/x"]
    assert profiles.affected([default], others) == [str(default), new]
    assert profiles.affected([default], [str(PHONE)]) == [str(default)]


@pytest.mark.parametrize(
    ("accept", "verdict"),
    [
        ("text/xml", True), ("TEXT/XML;charset=utf-8", True), ("text/*", True), ("*/*", True), ("a/b, text/xml", True),
        ("text/plain", False), ("text/xml;q=0", False), ("text/xml ; Q = 0.000", False),
        ("text/xml;q=0.001", True), ("text/xml;q=0,*/*", False), ("*/*;q=0, text/xml", True), ("text/*;q=0,*/*", False),
        ("text / xml", True), ("text/\txml ;q=0.5", True), ("* / *", True), ("te xt/xml", False),
        ("text /xml;q=0, */*", False),
        ("text/xml;a=b;q=0, text/xml", True), ("text/xml;q=0.0000", True), ("", False), ("application/url", False),
    ],
)  # fmt: skip
def test_accept_ranges(accept: str, verdict: bool) -> None:
    assert accepted(accept, "text/xml; charset=utf-8") is verdict


def test_a_link_is_asked_for_with_white_space_around_the_slash_too() -> None:
    """RFC 3261 §25.1: SLASH."""
    assert listed("text/xml, message / external-body", "message/external-body")
    assert not listed("message / *", "message/external-body")


def test_a_link_is_made_anew_in_time_and_the_version_stays_the_same() -> None:
    age = [1]
    links = UAProfile(table(), url_of=lambda key, shown: f"https://x.example/{age[0]}", links_age=lambda: age[0])
    audience = Audience(accept="message/external-body")
    first, again = links.state(str(ALICE), audience), links.state(str(ALICE), audience)
    assert first is again and first is not None and b"https://x.example/1" in first.content
    age[0] = 2
    later = links.state(str(ALICE), audience)
    assert later is not None and b"https://x.example/2" in later.content and later.etag == first.etag
