"""Documents by URL: what is served to whoever has the URL."""

import asyncio
from urllib.parse import unquote, urlsplit

import aiohttp
import pytest

from gitops_profile.http import (
    ContentFetched,
)
from gitops_profile.presentity import (
    ProfileKey,
    ProfileRemoved,
    Variant,
)

from .site import ALICE, DOMAIN, STAMP, Site, curl, document
from .test_front import answer, get


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
    async with client.get(where, headers={"If-Match": '"0"'}) as response:
        assert response.status == 412  # RFC 9110 §13.1.1
    async with client.get(where, headers={"If-None-Match": '"0"'}) as response:
        assert (response.status, await response.read()) == (200, b"<alice/>")


async def test_aiohttp_answers_what_the_way_past_it_answers(site: Site) -> None:
    shown = document(ALICE, b"<alice/>")
    where = urlsplit(site.here(site.put(shown)))
    gone = urlsplit(site.here(site.put(document(ALICE, b"<alice v='2'/>")))).path
    site.put(shown)
    assert where.port is not None
    connection = await asyncio.open_connection(where.hostname, where.port)
    asked = [(where.path, ()), (f"{where.path}?x=1", ()), (where.path, (f"If-None-Match: {shown.etag}",))]
    asked += [(gone, ()), (where.path[:-1], ())]
    plain = [await answer(connection, get(target, *lines)) for target, lines in asked]
    others = [await answer(connection, get(target, *lines, "Connection: keep-alive")) for target, lines in asked]
    assert plain == others
    assert [head[9:12] for head, _ in plain] == [b"200", b"200", b"304", b"410", b"404"]
    assert [one.status for one in site.fetched] == [200, 200, 304, 410, 404] * 2
    assert site.fetched[5:] == site.fetched[:5]
    assert await answer(connection, get(f"http://anybody{where.path}")) == plain[0]  # RFC 9112 §3.2.2
    connection[1].close()


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
