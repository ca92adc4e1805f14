"""What tells versions of a document apart, and what a phone gets that has one: asked by curl."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from aiohttp.test_utils import make_mocked_request

from gitops_profile.devices import FileRoutes
from gitops_profile.http.document_answer import answer_of
from gitops_profile.http.questions import Found
from gitops_profile.presentity import (
    FileRule,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    ProfileRemoved,
    Variant,
)

from .device_site import DESK, LOBBY, UNKNOWN, DeviceSite, body
from .site import DOMAIN, STAMP
from .test_documents import KEY, SNOM, head_of, serving


async def test_a_phone_that_has_the_version_is_told_so() -> None:
    async with serving() as site:
        _, headers, _ = await head_of(site.url(DESK))
        etag, date = headers["etag"], headers["last-modified"]
        for condition in (
            f"If-None-Match: {etag}", f"If-None-Match: W/{etag}", "If-None-Match: *", f'If-None-Match: "x", {etag}',
            f"If-None-Match: {etag.strip(chr(34))}", f"If-Modified-Since: {date}",
            "If-Modified-Since: Wed Jan  1 00:00:00 2020",
        ):  # fmt: skip
            status, again, content = await head_of(site.url(DESK), "--header", condition)
            assert (status, content, again["etag"]) == (304, b"", etag), condition
        for condition in (
            'If-None-Match: "another"', "If-Modified-Since: Thu, 02 Jan 2020 00:00:00 GMT", "If-Modified-Since: soon",
            "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT\r\nIf-None-Match: \"another\"",
        ):  # fmt: skip
            options = [part for line in condition.split("\r\n") for part in ("--header", line)]
            status, _, content = await head_of(site.url(DESK), *options)
            assert (status, content) == (200, body(DESK)), condition


async def test_after_a_revert_to_an_older_commit_nobody_keeps_the_newer_version() -> None:
    async with serving() as site:
        _, headers, _ = await head_of(site.url(DESK))
        document = site.table.get(KEY)
        assert document is not None
        older = replace(STAMP, committed_at="2019-01-01T00:00:00Z")
        changed = ProfileDocument(KEY, "text/xml", b"<older/>", document.path)
        site.table.apply(ProfileChanged(changed, older))
        status, _, content = await head_of(site.url(DESK), "--header", f"If-Modified-Since: {headers['last-modified']}")
        assert (status, content) == (200, b"<older/>")


async def validators(site: DeviceSite, url: str, *options: str) -> tuple[int, str | None, str | None, bytes]:
    """Status, Last-Modified, Vary and body."""
    status, headers, content = await head_of(url, *options)
    return status, headers.get("last-modified"), headers.get("vary"), content


async def test_a_time_tells_no_variant_from_another() -> None:
    """RFC 9110 §8.8: a validator is one of a representation, and one commit makes all variants."""
    async with serving() as site:
        variant = Variant("snom", None, "8.*", "text/xml", b"<snom-8/>")
        document = ProfileDocument(KEY, "text/xml", b"<any/>", "p", variants=(variant,))
        site.table.apply(ProfileChanged(document, STAMP))
        since = ("--header", "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT")
        old, new = ("--user-agent", SNOM.replace("10.1.33.33", "8.7.5.35")), ("--user-agent", SNOM)
        assert await validators(site, site.url(DESK), *old) == (200, None, "User-Agent", b"<snom-8/>")
        assert await validators(site, site.url(DESK), *new, *since) == (200, None, "User-Agent", b"<any/>")
        known = ("--header", f'If-None-Match: "{document.etag}"')
        assert await validators(site, site.url(DESK), *new, *known) == (304, None, "User-Agent", b"")
        assert await validators(site, site.url(LOBBY)) == (200, "Wed, 01 Jan 2020 00:00:00 GMT", None, body(LOBBY))
        missing = await validators(site, site.url(UNKNOWN))
        assert missing == (404, None, None, b"There is no document here.\n")


async def test_a_time_tells_no_document_from_another_that_takes_its_place() -> None:
    routes = FileRoutes([FileRule("{model}.img", ("{model}", "all-1"))])
    async with serving(DeviceSite(routes=routes)) as site:
        for name in ("t46", "all-1"):
            key = ProfileKey.device(DOMAIN, name)
            site.table.apply(ProfileAdded(ProfileDocument(key, "text/plain", name.encode(), "p"), STAMP))
        since = ("--header", "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT")
        root = site.root.removesuffix(f"{DOMAIN}/")
        assert await validators(site, f"{site.root}t46.img", *since) == (200, None, None, b"t46")
        site.table.apply(ProfileRemoved(ProfileKey.device(DOMAIN, "t46"), "p", STAMP))
        assert await validators(site, f"{site.root}t46.img", *since) == (200, None, None, b"all-1")
        # Without a domain another may have it next.
        assert await validators(site, f"{root}{DESK}.xml", *since) == (200, None, None, body(DESK))


@pytest.mark.parametrize("seconds, told", [(3600, False), (-3600, True)])
async def test_a_commit_of_the_future_is_no_time_to_go_by(seconds: int, told: bool) -> None:
    """RFC 9110 §8.8.2.1."""
    async with serving() as site:
        moment = datetime.fromtimestamp(int(time.time()) + seconds, UTC)
        document = ProfileDocument(KEY, "text/xml", b"<new/>", "p")
        site.table.apply(ProfileChanged(document, replace(STAMP, committed_at=moment.isoformat())))
        date = format_datetime(moment, usegmt=True)
        status, changed, _, _ = await validators(site, site.url(DESK))
        assert (status, changed) == (200, date if told else None)
        status, changed, _, _ = await validators(site, site.url(DESK), "--header", f"If-Modified-Since: {date}")
        assert (status, changed) == ((304, date) if told else (200, None))


def test_a_commit_of_just_now_is_no_time_to_go_by_and_what_is_kept_of_an_answer_knows() -> None:
    """RFC 9110 §8.8.2.2."""
    document = ProfileDocument(KEY, "text/xml", b"<new/>", "p")
    found = Found(KEY, document, document, document.etag, is_only=True)
    asked = make_mocked_request("GET", "/p/x")
    committed = datetime.fromisoformat(STAMP.committed_at).timestamp()
    kept = [answer_of(asked, found, lambda key: STAMP, committed + after) for after in (1.0, 1.5, 2.0, 9.0, 1.0)]
    assert [b"Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT" in (one._start or b"") for one in kept] == [
        False, False, True, True, False,
    ]  # fmt: skip
    assert kept[0] is kept[1] and kept[2] is kept[3]


@pytest.mark.parametrize(
    "lines", [(), ("--header", "Content-Length: 0"), ("--head",)], ids=["plain", "aiohttp", "HEAD"]
)
async def test_who_wants_another_version_only_gets_none(lines: tuple[str, ...]) -> None:
    """RFC 9110 §13.1.1, strong comparison; and who may not have it learns nothing by it (§13.2.1)."""
    async with serving() as site:
        tag = (await head_of(site.url(DESK)))[1]["etag"]
        found = {}
        for condition in ('"x"', f"W/{tag}", tag, f'"x", {tag}', "*"):
            status, headers, content = await head_of(site.url(DESK), *lines, "--header", f"If-Match: {condition}")
            found[condition] = status
            assert status == 200 or ("etag" not in headers and b"<settings>" not in content)
        assert list(found.values()) == [412, 412, 200, 200, 200]
        both = ("--header", 'If-Match: "x"', "--header", f"If-None-Match: {tag}")
        assert (await head_of(site.url(DESK), *lines, *both))[0] == 412  # RFC 9110 §13.2.2
        assert (await head_of(site.url(UNKNOWN), *lines, "--header", "If-Match: *"))[0] == 404
        assert not any(seen.key for seen in site.seen if seen.status == 412)  # which is no fault of the phone
