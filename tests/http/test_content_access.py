"""Sensitive documents by URL: over https, by digest, to whose they are."""

import re
import ssl
from urllib.parse import urlsplit

import aiohttp
import pytest

from gitops_profile.http import (
    ContentFetched,
    ContentLinks,
    Guess,
)
from gitops_profile.phone import Password
from gitops_profile.presentity import (
    ProfileAdded,
    ProfileKey,
    Variant,
)
from tests.transport.authority import Authority

from .site import ALICE, DOMAIN, HTTPS, OPEN_DOMAIN, SAFE, STAMP, Site, curl, digest, document, get


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
    assert answers == [(200, False, 0), (401, True, 0), *[(401, True, 0)] * 4, (401, False, 1)]


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
    assert site.throttle.blocked_for(source, site.now()) > 0  # it is the one that SIP looks at
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
