"""A pointer followed to its document: what is said when it is not what the NOTIFY promised."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import pytest
from aiohttp import web

from gitops_profile.event_packages.content_indirection import external_body
from gitops_profile.phone import Fetched, Password, PhoneError, Pointer, Subscriber, SubscriberSettings, follow
from gitops_profile.presentity import ProfileDocument, ProfileKey
from gitops_profile.sip.syntax import Request, parse_message

BODY = b"<alice/>\n"
POINTER = Pointer("http://127.0.0.1:1/", len(BODY), hashlib.sha1(BODY).hexdigest())


def test_what_our_notify_says_is_read() -> None:
    shown = ProfileDocument(ProfileKey.user("example.com", "alice"), "text/xml", BODY, "alice.xml")
    head, _, body = external_body(shown, shown.etag, "https://prov.example.com/a;b=1,c", "").content.partition(
        b"\r\n\r\n"
    )
    content_type = head.decode().partition(": ")[2].partition("\r\n")[0]
    assert Pointer.read(content_type, body) == replace(POINTER, url="https://prov.example.com/a;b=1,c")


@pytest.mark.parametrize(
    ("content_type", "pointer"),
    [
        # In the way of the examples of RFC 4483, whose hashes are too short.
        (
            'message/external-body; access-type="URL"; URL="http://example.com/a"; size=52; hash=10AB568E91245681AC1B',
            Pointer("http://example.com/a", 52, "10AB568E91245681AC1B"),
        ),
        ('MESSAGE/External-Body;access-type=url;url="http://a/"', Pointer("http://a/", None, None)),
        ('message/external-body; access-type="URL"; URL="http://a/"; size=large', Pointer("http://a/", None, None)),
        ('message/external-body; access-type="URL"', None),
        ('text/xml; URL="http://a/"', None),
        (None, None),
    ],
)
def test_pointers_of_others_are_read(content_type: str | None, pointer: Pointer | None) -> None:
    assert Pointer.read(content_type, b"Content-Type: text/xml\r\n\r\n") == pointer


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BODY, []),
        (BODY[::-1], ["its hash is not the one that the NOTIFY said"]),
        (BODY + b"x", ["its size should be 9 bytes and is 10", "its hash is not the one that the NOTIFY said"]),
    ],
)
def test_what_is_not_so_is_said(body: bytes, said: list[str]) -> None:
    assert POINTER.differences(body) == said
    assert replace(POINTER, size=None, hash=None).differences(body) == []


@dataclass
class Site:
    """A web server that answers as it is told."""

    answer: Callable[[], web.Response]
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        return self.answer()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site(lambda: web.Response(body=BODY, content_type="text/xml"))
    application = web.Application()
    application.router.add_get("/{tail:.*}", made.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/alice"
    yield made
    await runner.cleanup()


async def test_a_document_comes_with_its_type(site: Site) -> None:
    assert await follow(replace(POINTER, url=site.url)) == Fetched("text/xml", BODY)


async def test_a_damaged_document_comes_with_what_is_wrong(site: Site) -> None:
    site.answer = lambda: web.Response(body=b"<Alice/>\n", content_type="text/xml")
    fetched = await follow(replace(POINTER, url=site.url))
    assert fetched.differences == ("its hash is not the one that the NOTIFY said",)


@pytest.mark.parametrize(
    ("status", "headers", "password", "said"),
    [
        (410, {}, None, "was not given: status 410"),
        (302, {"Location": "/elsewhere"}, None, "was not given: status 302"),
        (401, {}, None, "it asks for a password: give it with --password-file"),
        (401, {"WWW-Authenticate": "Basic realm=x"}, Password("alice", "x"), "the password is not right"),
        (401, {"WWW-Authenticate": 'Digest realm="'}, Password("alice", "x"), "the password is not right"),
        (
            401,
            {"WWW-Authenticate": 'Digest realm="x", nonce="n", qop="auth"'},
            Password("alice", "x"),
            "the password is not right",
        ),
    ],
)
async def test_what_does_not_come_is_said(
    site: Site, status: int, headers: dict[str, str], password: Password | None, said: str
) -> None:
    site.answer = lambda: web.Response(status=status, headers=headers)
    with pytest.raises(PhoneError, match=said):
        await follow(replace(POINTER, url=site.url), password=password)


async def test_a_document_without_an_end_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitops_profile.phone.http_client.MAX_BYTES", 8)
    with pytest.raises(PhoneError, match="more than 8 bytes"):
        await follow(replace(POINTER, url=site.url))


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "gopher://127.0.0.1/", "nonsense"])
async def test_a_url_that_leads_nowhere_is_said(url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        with pytest.raises(PhoneError, match="cannot be fetched"):
            async with asyncio.timeout(5):
                await follow(replace(POINTER, url=url.format(taken.getsockname()[1])))


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(SubscriberSettings("sip:alice@example.com", password=Password("alice", "secret")))


# -- digest over SIP -------------------------------------------------------------------------------------------------


def subscriber(password: Password | None) -> Subscriber:
    return Subscriber(
        SubscriberSettings("sip:alice@example.com", password=password), "udp", ("127.0.0.1", 5070), lambda: "token"
    )


def request(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def challenged(phone: Subscriber, data: bytes) -> str:
    """What the phone makes of a 401 to `data`."""
    sent = request(data)
    lines = ["SIP/2.0 401 Unauthorized"]
    lines += [f"{name}: {sent.headers.get(name.lower())}" for name in ("Via", "From", "Call-ID", "CSeq")]
    # RFC 7616 §3.9.1 in SIP's words.
    lines += [f"To: {sent.headers.get('to')};tag=x", 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']
    _, received = phone.receive(("\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode())
    assert received is not None
    return received.kind


def test_a_challenge_is_answered_once_and_then_taken_for_a_refusal() -> None:
    phone = subscriber(Password("alice", "secret"))
    first = phone.subscribe()
    assert request(first).headers.get("authorization") is None
    assert challenged(phone, first) == "challenged" and phone.challenged and not phone.ended
    second = request(phone.subscribe())
    authorization = second.headers.get("authorization") or ""
    assert 'username="alice"' in authorization and 'uri="sip:alice@example.com"' in authorization
    assert (second.headers.get("cseq"), second.headers.get("to")) == ("2 SUBSCRIBE", "<sip:alice@example.com>")
    assert challenged(phone, phone.subscribe()) == "refused" and phone.ended


def test_without_a_password_a_challenge_is_a_refusal() -> None:
    phone = subscriber(None)
    assert challenged(phone, phone.subscribe()) == "refused" and phone.ended
