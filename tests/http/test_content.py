"""Documents by URL: what is served to whom, with clients that are not ours (aiohttp's, curl)."""

import asyncio
import hashlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp
import pytest

from gitops_profile.access import DIGEST, AccessRule, DomainPolicy, Gate
from gitops_profile.digest import CredentialStore, DigestAuthenticator, Throttle, a1, replace_user
from gitops_profile.http import (
    ContentAccess,
    ContentFetched,
    ContentLinks,
    Guess,
    HTTPLimits,
    HTTPListener,
    ProfileContent,
    Realm,
)
from gitops_profile.phone import Password
from gitops_profile.presentity import (
    PresentityTable,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    ProfileRemoved,
    RevisionStamp,
    Variant,
)
from gitops_profile.transport import Certificates
from tests.system.lab import need
from tests.transport.authority import Authority, Issued

DOMAIN, OPEN_DOMAIN = "example.com", "lab.example.com"
ALICE = ProfileKey.user(DOMAIN, "alice")
SAFE = ProfileKey.user(DOMAIN, "safe")
STAMP = RevisionStamp("0" * 40, "A", "a@example.com", "2030-01-01T00:00:00Z", "a message")
PASSWORDS = {"alice": "wonderland", "safe": "strong", "admin": "help desk", "müller": "päss"}
LOOPBACK = [IPv4Network("127.0.0.1/32")]
HTTPS = {"X-Forwarded-Proto": "https"}


def document(
    key: ProfileKey, body: bytes, *, sensitive: bool = False, variants: Sequence[Variant] = ()
) -> ProfileDocument:
    return ProfileDocument(key, "text/xml", body, f"{key}.xml", sensitive, variants=tuple(variants))


def digest(user: str) -> aiohttp.DigestAuthMiddleware:
    """A client that knows the user's password."""
    return aiohttp.DigestAuthMiddleware(user, PASSWORDS[user])


@dataclass
class Site:
    """Documents behind a listener."""

    public: str = "http://prov.example.com/p/"
    proxies: Sequence[IPv4Network] = ()
    context: ssl.SSLContext | None = None
    secret: bytes = b"k" * 32
    fetched: list[ContentFetched] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)
    skew: float = 0.0
    """Seconds that have passed beside the real ones."""

    def __post_init__(self) -> None:
        self.table = PresentityTable()
        self.throttle = Throttle(failures=3)
        authenticator = DigestAuthenticator(b"s" * 32, run=b"run no 1")
        text = ""
        for user, password in PASSWORDS.items():
            text = replace_user(text, user, "the realm", {"SHA-256": a1("SHA-256", user, "the realm", password)})
        lookup = CredentialStore.parse(text).lookup
        rules = (AccessRule(f"admin@{DOMAIN}", (f"user/{DOMAIN}/*",)),)
        policies = {
            DOMAIN: DomainPolicy(True, "the realm", ("SHA-256",), rules),
            OPEN_DOMAIN: DomainPolicy(False, OPEN_DOMAIN),
        }
        gate = Gate(policies, authenticator, self.throttle, lambda domain: lookup, lambda: "token")
        access = ContentAccess(
            {DOMAIN: Realm("the realm", ("SHA-256",))},
            authenticator,
            self.throttle,
            lambda domain: lookup,
            lambda user, domain, key: gate.permits(f"{DIGEST}{user}@{domain}", key),
            public_https=self.public.startswith("https"),
            direct_https=self.context is not None,
            proxies=self.proxies,
            on_guess=self.guesses.append,
            clock=lambda: time.time() + self.skew,
        )
        self.content = ProfileContent(self.table, ContentLinks(self.public, self.secret), access, self.fetched.append)
        self.listener = HTTPListener(self.content.routes(), HTTPLimits(head_seconds=1.0))
        self.root = ""

    def put(self, shown: ProfileDocument) -> str:
        """Bring a document into force; its URL."""
        known = shown.key in self.table
        self.table.apply(ProfileChanged(shown, STAMP) if known else ProfileAdded(shown, STAMP))
        url = self.content.url_of(shown.key, shown)
        assert url is not None
        return url

    def here(self, url: str) -> str:
        """Where a public URL is on this machine."""
        parts = urlsplit(url)
        assert not parts.query and not parts.fragment and url.isascii()
        return f"{self.root}{parts.path}"

    async def start(self) -> None:
        context = self.context
        given = (lambda: context) if context is not None else None
        _, port = await self.listener.listen("127.0.0.1", 0, given)
        self.root = f"{'http' if context is None else 'https'}://127.0.0.1:{port}"


@pytest.fixture
async def site(request: pytest.FixtureRequest, issued: Issued) -> AsyncIterator[Site]:
    """By default over plain HTTP; "tls" and "proxy" are the ways to https."""
    kind = getattr(request, "param", "plain")
    made = {
        "plain": lambda: Site(),
        "tls": lambda: Site("https://prov.example.com/", context=Certificates(issued.certificate, issued.key).server()),
        "proxy": lambda: Site("https://prov.example.com/", LOOPBACK),
        "proxy-to-http": lambda: Site("http://prov.example.com/", LOOPBACK),
        "nobody speaks tls": lambda: Site("https://prov.example.com/"),
        "untrusted-proxy": lambda: Site("https://prov.example.com/", [IPv4Network("192.0.2.0/24")]),
    }[kind]()
    await made.start()
    yield made
    await made.listener.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def issued(authority: Authority) -> Issued:
    return authority.issue("web", "DNS:prov.example.com,IP:127.0.0.1")


@pytest.fixture
async def client(authority: Authority) -> AsyncIterator[aiohttp.ClientSession]:
    trusting = ssl.create_default_context(cafile=authority.certificate)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
        yield session


# -- documents that anybody may have who has the URL -----------------------------------------------------------------


async def test_a_document_is_served_as_it_is(site: Site, client: aiohttp.ClientSession) -> None:
    shown = document(ALICE, b"<alice/>\n")
    url = site.put(shown)
    assert url.startswith(f"http://prov.example.com/p/profile/user/example.com/alice.{shown.etag}.")
    async with client.get(site.here(url)) as response:
        assert response.status == 200
        assert await response.read() == b"<alice/>\n"
        assert {name: response.headers[name] for name in ("Content-Type", "ETag", "Content-Length")} == {
            "Content-Type": "text/xml",
            "ETag": f'"{shown.etag}"',
            "Content-Length": "9",
        }
        assert response.headers["Cache-Control"] == "private"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert site.fetched == [ContentFetched("127.0.0.1", 200, str(ALICE), shown.etag)]


async def test_a_variant_has_a_url_of_its_own(site: Site, client: aiohttp.ClientSession) -> None:
    variant = Variant("yealink*", None, None, "text/plain; charset=iso-8859-1", b"account = 1\n")
    url = site.put(document(ALICE, b"<alice/>", variants=[variant]))
    other = site.content.url_of(ALICE, variant)
    assert other is not None and other != url
    async with client.get(site.here(other)) as response:
        assert (await response.read(), response.headers["Content-Type"]) == (variant.body, variant.content_type)


@pytest.mark.parametrize("given", ['"{}"', 'W/"{}"', '"0", "{}"', "{}", "*"])
async def test_who_has_the_version_gets_304(site: Site, client: aiohttp.ClientSession, given: str) -> None:
    shown = document(ALICE, b"<alice/>")
    where = site.here(site.put(shown))
    async with client.get(where, headers={"If-None-Match": given.format(shown.etag)}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == f'"{shown.etag}"'


async def test_who_has_another_version_gets_the_document(site: Site, client: aiohttp.ClientSession) -> None:
    where = site.here(site.put(document(ALICE, b"<alice/>")))
    async with client.get(where, headers={"If-None-Match": '"0"'}) as response:
        assert (response.status, await response.read()) == (200, b"<alice/>")


async def test_head_has_the_headers_of_get(site: Site, client: aiohttp.ClientSession) -> None:
    where = site.here(site.put(document(ALICE, b"<alice/>")))
    async with client.get(where) as got, client.head(where) as response:
        assert (response.status, await response.read()) == (200, b"")
        assert {**response.headers, "Date": ""} == {**got.headers, "Date": ""}


async def test_another_method_is_405(site: Site, client: aiohttp.ClientSession) -> None:
    async with client.post(site.here(site.put(document(ALICE, b"<alice/>")))) as response:
        assert response.status == 405


async def test_a_version_that_is_gone_is_410_and_comes_back_with_a_revert(
    site: Site, client: aiohttp.ClientSession
) -> None:
    first = document(ALICE, b"<alice v='1'/>")
    old = site.put(first)
    new = site.put(document(ALICE, b"<alice v='2'/>"))
    statuses = []
    removed = ProfileRemoved(ALICE, first.path, STAMP)
    for change in (lambda: None, lambda: site.put(first), lambda: site.table.apply(removed)):
        change()
        for url in (old, new):
            async with client.get(site.here(url)) as response:
                statuses.append(response.status)
    assert statuses == [410, 200, 200, 410, 410, 410]


async def test_urls_are_good_after_a_restart_and_not_with_another_secret(
    site: Site, client: aiohttp.ClientSession
) -> None:
    shown = document(ALICE, b"<alice/>")
    url = site.put(shown)
    assert Site().put(shown) == url
    foreign = Site(secret=b"x" * 32).put(shown)
    async with client.get(site.here(foreign)) as response:
        assert response.status == 404


async def test_a_url_that_we_did_not_make_is_404_whoever_is_provisioned(
    site: Site, client: aiohttp.ClientSession
) -> None:
    shown = document(ALICE, b"<alice/>")
    url = site.here(site.put(shown))
    body, signature = url[:-32], url[-32:]
    prefix = site.here("http://prov.example.com/p/profile/")
    wrong = [
        body + ("0" if signature[0] != "0" else "1") + signature[1:],
        body,
        url + "0",
        url.replace("alice", "nobody"),
        url.replace(shown.etag, "0" * 32),
        url.replace("user/", "device/"),
        prefix,
        f"{prefix}user/example.com/alice",
        f"{prefix}%ff%00.%e9.{signature}",
        f"{prefix}...",
    ]
    answers = set()
    for where in wrong:
        async with client.get(where) as response:
            headers = {name: value for name, value in response.headers.items() if name != "Date"}
            answers.add((response.status, await response.text(), tuple(headers.items())))
    assert len(answers) == 1 and next(iter(answers))[0] == 404
    assert {(f.status, f.key) for f in site.fetched} == {(404, None)} and len(site.fetched) == len(wrong)


NAMES = [
    *("..", ".", "a/b", "a/../b", "50%", "%2e", "jürgen", "o'neil", 'a"b', "a b", "a?b#c", "+49;ext=1", "a.b.c"),
    *("电话", "~x"),
]


@pytest.mark.parametrize("name", NAMES)
async def test_odd_names_have_urls_that_every_client_takes(
    site: Site, client: aiohttp.ClientSession, name: str
) -> None:
    url = site.put(document(ProfileKey.user(DOMAIN, name), name.encode()))
    path = urlsplit(url).path
    assert not {"", ".", ".."}.intersection(unquote(part) for part in path.split("/")[1:])
    async with client.get(site.here(url)) as response:
        assert (response.status, await response.read()) == (200, name.encode())
    done = await curl(site.here(url))
    assert done == ("200", name.encode())


@pytest.mark.parametrize("key", [ProfileKey.local_network("[2001:db8::1]"), ProfileKey.device(DOMAIN, "0004f2a1b2c3")])
async def test_other_profile_types_have_urls_too(site: Site, client: aiohttp.ClientSession, key: ProfileKey) -> None:
    async with client.get(site.here(site.put(document(key, b"x")))) as response:
        assert (response.status, await response.read()) == (200, b"x")


async def test_a_proxy_that_decodes_a_slash_does_no_harm(site: Site) -> None:
    url = site.put(document(ProfileKey.user(DOMAIN, "a/b c"), b"x"))
    assert "a%2Fb%20c" in url
    assert await curl(site.here(url).replace("%2F", "/")) == ("200", b"x")


async def test_the_log_does_not_hold_what_opens_a_document(
    site: Site, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    shown = document(ALICE, b"<alice/>")
    url = site.put(shown)
    async with client.get(site.here(url)):
        pass
    assert f"content fetch key='user/example.com/alice' etag={shown.etag} status=200 source=127.0.0.1" in caplog.text
    assert url[-32:] not in caplog.text


# -- sensitive documents ---------------------------------------------------------------------------------------------


async def curl(url: str, *options: str) -> tuple[str, bytes]:
    """The status and the body, by an independent client."""
    process = await asyncio.create_subprocess_exec(
        need("curl"), "--silent", "--path-as-is", "--write-out", "%{stderr}%{http_code}", *options, url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    body, status = await process.communicate()
    return status.decode(), body


async def get(
    url: str, user: str | None, authority: Authority, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """With that user's password, if any."""
    trusting = ssl.create_default_context(cafile=authority.certificate)
    middlewares = (digest(user),) if user is not None else ()
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting), middlewares=middlewares) as session,
        session.get(url, headers=headers) as response,
    ):
        return response.status, await response.text()


@pytest.mark.parametrize("user", [None, "safe", "alice", "admin"])
@pytest.mark.parametrize(
    ("site", "headers", "secure"),
    [
        ("tls", {}, True),
        ("proxy", HTTPS, True),
        ("proxy", {"X-Forwarded-Proto": "https, https"}, True),
        ("plain", {}, False),
        ("plain", HTTPS, False),
        ("proxy", {}, False),
        ("proxy", {"X-Forwarded-Proto": "http"}, False),
        ("proxy", {"X-Forwarded-Proto": "http, https"}, False),
        ("proxy-to-http", HTTPS, False),
        ("untrusted-proxy", HTTPS, False),
    ],
    indirect=["site"],
)
async def test_a_sensitive_document_goes_over_https_to_its_owner_or_whom_the_rules_let(
    site: Site, authority: Authority, headers: dict[str, str], secure: bool, user: str | None
) -> None:
    shown = document(SAFE, b"<password/>", sensitive=True)
    site.table.apply(ProfileAdded(shown, STAMP))
    url = ContentLinks(site.public, site.secret).url(SAFE, shown.etag)
    status, text = await get(site.here(url), user, authority, headers)
    if not secure:
        assert (status, text) == (403, "This document is sensitive: it is served over https only.\n")
    elif user is None:
        assert (status, text) == (401, "This document is sensitive: show who you are.\n")
    elif user == "alice":
        assert (status, text) == (403, "These credentials may not have this document.\n")
    else:
        assert (status, text) == (200, "<password/>")
        assert site.fetched[-1] == ContentFetched("127.0.0.1", 200, str(SAFE), shown.etag, user)


@pytest.mark.parametrize(
    ("site", "sensitive", "key", "told"),
    [
        ("plain", False, SAFE, True),
        ("plain", True, SAFE, False),
        ("tls", True, SAFE, True),
        ("proxy", True, SAFE, True),
        ("proxy-to-http", True, SAFE, False),
        ("nobody speaks tls", True, SAFE, False),
        ("nobody speaks tls", False, SAFE, True),
        ("tls", True, ProfileKey.user(OPEN_DOMAIN, "safe"), False),
    ],
    indirect=["site"],
)
def test_a_link_is_told_only_when_it_can_be_served(site: Site, sensitive: bool, key: ProfileKey, told: bool) -> None:
    assert (site.content.url_of(key, document(key, b"x", sensitive=sensitive)) is not None) == told


@pytest.mark.parametrize("site", ["tls"], indirect=True)
async def test_a_domain_without_credentials_serves_nothing_sensitive(site: Site, authority: Authority) -> None:
    key = ProfileKey.user(OPEN_DOMAIN, "safe")
    shown = document(key, b"<password/>", sensitive=True)
    site.table.apply(ProfileAdded(shown, STAMP))
    url = ContentLinks(site.public, site.secret).url(key, shown.etag)
    assert (await get(site.here(url), "safe", authority))[0] == 403


@pytest.mark.parametrize("site", ["tls"], indirect=True)
async def test_a_sensitive_variant_and_an_open_document_are_told_apart(site: Site, authority: Authority) -> None:
    variants = [
        Variant("a", None, None, "text/xml", b"<password/>", sensitive=True),
        Variant("b", None, None, "text/xml", b"<open/>", sensitive=True),  # the same content as the document
    ]
    site.put(document(SAFE, b"<open/>"))
    urls = [site.here(site.put(document(SAFE, b"<open/>")))]
    with_variants = document(SAFE, b"<open/>", variants=variants)
    urls += [site.here(site.put(with_variants)), site.here(site.content.url_of(SAFE, variants[0]) or "")]
    assert urls[0] == urls[1]
    assert [(await get(url, None, authority))[0] for url in urls] == [401, 401, 401]
    site.put(document(SAFE, b"<open/>", variants=variants[:1]))
    assert [(await get(url, None, authority))[0] for url in urls] == [200, 200, 401]


@pytest.mark.parametrize("site", ["tls"], indirect=True)
async def test_curl_shows_who_it_is(site: Site, authority: Authority) -> None:
    where = site.here(site.put(document(ProfileKey.user(DOMAIN, "müller"), b"<password/>", sensitive=True)))
    trust = ("--cacert", str(authority.certificate))
    assert await curl(where, *trust, "--digest", "--user", "müller:päss") == ("200", b"<password/>")
    assert await curl(where, *trust, "--digest", "--head", "--user", "müller:päss", "--output", "/dev/null") == (
        "200",
        b"",
    )
    assert (await curl(where, *trust, "--digest", "--user", "müller:wrong"))[0] == "401"
    assert (await curl(where, *trust, "--basic", "--user", "müller:päss"))[0] == "401"
    assert [(guess.user, guess.reason) for guess in site.guesses] == [("müller", "wrong-response")]


@pytest.mark.parametrize("site", ["tls"], indirect=True)
async def test_an_authorization_that_cannot_be_read_is_400(site: Site, authority: Authority) -> None:
    where = site.here(site.put(document(SAFE, b"<password/>", sensitive=True)))
    assert (await get(where, None, authority, {"Authorization": 'Digest username="'}))[0] == 400


@pytest.mark.parametrize("site", ["tls"], indirect=True)
async def test_an_old_nonce_is_stale_and_a_client_that_knows_the_password_tries_again(
    site: Site, authority: Authority
) -> None:
    where = site.here(site.put(document(SAFE, b"<password/>", sensitive=True)))
    trusting = ssl.create_default_context(cafile=authority.certificate)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trusting), middlewares=(digest("safe"),)
    ) as session:
        for _ in range(3):
            async with session.get(where) as response:
                assert response.status == 200
            site.skew += 400
    assert site.guesses == []


@pytest.mark.parametrize("site", ["tls"], indirect=True)
async def test_only_a_wrong_password_is_a_guess(site: Site, client: aiohttp.ClientSession) -> None:
    where = site.here(site.put(document(SAFE, b"<password/>", sensitive=True)))
    async with client.get(where) as response:
        challenge = response.headers["WWW-Authenticate"]
    foreign = re.sub('nonce="[^"]*"', 'nonce="bm90IG91cnM="', challenge)
    tries = [(challenge, "strong"), (challenge, "strong"), *[(foreign, "guess")] * 4, (challenge, "guess")]
    answers = []
    for said, password in tries:
        given = Password("safe", password).answer([said], method="GET", uri=urlsplit(where).path, nc=1, cnonce="c")
        async with client.get(where, headers={"Authorization": given or ""}) as response:
            stale = "stale=true" in response.headers.get("WWW-Authenticate", "").lower()
            answers.append((response.status, stale, len(site.guesses)))
    assert answers == [(200, False, 0), (401, True, 0), *[(401, False, 0)] * 4, (401, False, 1)]


@pytest.mark.parametrize("site", ["tls"], indirect=True)
async def test_who_knows_the_password_in_the_end_begins_anew(site: Site, authority: Authority) -> None:
    where = site.here(site.put(document(SAFE, b"<password/>", sensitive=True)))
    options = ("--cacert", str(authority.certificate), "--digest", "--user")
    passwords = ("guess", "guess", "strong", "guess", "guess", "strong")
    statuses = [(await curl(where, *options, f"safe:{password}"))[0] for password in passwords]
    assert statuses == ["401", "401", "200", "401", "401", "200"]


@pytest.mark.parametrize(
    ("site", "headers"), [("tls", {}), ("proxy", {**HTTPS, "X-Forwarded-For": "192.0.2.7"})], indirect=["site"]
)
async def test_who_guesses_has_to_wait_and_nobody_else(
    site: Site, authority: Authority, headers: dict[str, str]
) -> None:
    where = site.here(site.put(document(SAFE, b"<password/>", sensitive=True)))
    options = ["--cacert", str(authority.certificate), "--digest"]
    for name, value in headers.items():
        options += ["--header", f"{name}: {value}"]
    statuses = [(await curl(where, *options, "--user", "safe:guess"))[0] for _ in range(4)]
    assert statuses == ["401", "401", "429", "429"]
    source = headers.get("X-Forwarded-For", "127.0.0.1")
    assert site.guesses == [Guess(source, "safe", "the realm", "wrong-response")] * 3
    assert (await curl(where, *options, "--user", "safe:strong"))[0] == "429"
    assert site.throttle.blocked_for(source, time.time()) > 0  # it is the one that SIP looks at
    if headers:
        other = {**headers, "X-Forwarded-For": "192.0.2.7, 192.0.2.8"}
        assert (await get(where, "safe", authority, other))[0] == 200
    site.skew = 100
    assert (await curl(where, *options, "--user", "safe:strong"))[0] == "200"


@pytest.mark.parametrize("site", ["proxy"], indirect=True)
async def test_behind_a_proxy_that_names_no_client_each_user_is_counted_alone(site: Site, authority: Authority) -> None:
    where = site.here(site.put(document(SAFE, b"<password/>", sensitive=True)))
    options = ("--header", "X-Forwarded-Proto: https", "--digest", "--user")
    assert [(await curl(where, *options, "alice:guess"))[0] for _ in range(3)] == ["401", "401", "429"]
    assert (await curl(where, *options, "safe:strong"))[0] == "200"


@pytest.mark.parametrize("site", ["plain"], indirect=True)
async def test_a_peer_that_is_no_proxy_of_ours_cannot_choose_its_address(
    site: Site, client: aiohttp.ClientSession
) -> None:
    where = site.here(site.put(document(ALICE, b"<alice/>")))
    async with client.get(where, headers={"X-Forwarded-For": "192.0.2.7"}):
        pass
    assert [f.source for f in site.fetched] == ["127.0.0.1"]


@pytest.mark.parametrize("site", ["proxy"], indirect=True)
@pytest.mark.parametrize(
    ("forwarded", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("10.0.0.1, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 127.0.0.1", "192.0.2.7"),
        ("unknown", "127.0.0.1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
async def test_the_client_is_whom_the_nearest_trusted_proxy_names(
    site: Site, client: aiohttp.ClientSession, forwarded: str, source: str
) -> None:
    where = site.here(site.put(document(ALICE, b"<alice/>")))
    async with client.get(where, headers={"X-Forwarded-For": forwarded}):
        pass
    assert [f.source for f in site.fetched] == [source]


# -- the https listener ----------------------------------------------------------------------------------------------


async def served_certificate(host: str, port: int) -> bytes:
    """The fingerprint of what a client is shown."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(host, port, ssl=trusting)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return hashlib.sha256(shown).digest()


async def test_a_new_certificate_holds_from_the_next_connection_on(authority: Authority, tmp_path: Path) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    now = [0.0]
    for issued, suffix in ((first.certificate, "pem"), (first.key, "key")):
        (tmp_path / f"server.{suffix}").write_bytes(issued.read_bytes())
    certificates = Certificates(tmp_path / "server.pem", tmp_path / "server.key", clock=lambda: now[0])
    listener = HTTPListener([])
    address = await listener.listen("127.0.0.1", 0, certificates.server)
    before = await served_certificate(*address)
    for issued, suffix in ((second.certificate, "pem"), (second.key, "key")):
        (tmp_path / f"server.{suffix}").write_bytes(issued.read_bytes())
    now[0] = 5.0
    after = await served_certificate(*address)
    await listener.close()
    der = [hashlib.sha256(ssl.PEM_cert_to_DER_cert(i.certificate.read_text())).digest() for i in (first, second)]
    assert [before, after] == der


@pytest.fixture
async def secure(issued: Issued) -> AsyncIterator[tuple[str, int]]:
    """An https listener with little room and time."""
    listener = HTTPListener([], HTTPLimits(connections=2, head_seconds=0.3))
    yield await listener.listen("127.0.0.1", 0, Certificates(issued.certificate, issued.key).server)
    await listener.close()


async def test_handshakes_count_as_connections_and_have_their_time(secure: tuple[str, int]) -> None:
    waiting = [await asyncio.open_connection(*secure) for _ in range(2)]
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*secure)
        assert await reader.read() == b""  # one too many: closed at once, without a handshake
        assert not any(other.at_eof() for other, _ in waiting)
        writer.close()
        assert [await reader.read() for reader, _ in waiting] == [b"", b""]  # they did not begin in time
    for _, other in waiting:
        other.close()
    assert await served_certificate(*secure)  # and the places are free again


async def test_what_is_no_tls_ends_the_connection_and_nothing_else(secure: tuple[str, int]) -> None:
    for _ in range(5):
        reader, writer = await asyncio.open_connection(*secure)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
    assert await served_certificate(*secure)
