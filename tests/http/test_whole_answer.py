"""Documents written in one piece are the same answers as aiohttp's, byte for byte."""

import asyncio
import re

import pytest

from gitops_profile.presentity import ProfileChanged, ProfileDocument, ProfileKey, ProfileRemoved

from .device_site import DESK, UNKNOWN, DeviceSite, body
from .site import DOMAIN, STAMP

KEY = ProfileKey.device(DOMAIN, DESK)


async def answers(site: DeviceSite, *requests: str) -> bytes:
    """To what is sent on one connection, whose last request closes it; without the date."""
    host, _, port = site.root.split("/")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("".join(f"{request}\r\n\r\n" for request in requests).encode())
    async with asyncio.timeout(10):
        found = await reader.read()
    writer.close()
    return re.sub(rb"Date: [^\r]*", b"Date: D", found)


def ask(method: str, *lines: str, device: str = DESK) -> str:
    return "\r\n".join([f"{method} /p/{DOMAIN}/{device}.xml HTTP/1.1", "Host: x", *lines])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("lines", [(), ("If-None-Match: *",), ('If-None-Match: "other"',)])
async def test_a_document_that_is_written_whole_has_the_headers_that_aiohttp_writes(
    method: str, lines: tuple[str, ...]
) -> None:
    site = await DeviceSite().start()
    try:
        closing = await answers(site, ask(method, *lines, "Connection: close"))
        both = await answers(site, ask(method, *lines), ask(method, *lines, "Connection: close"))
    finally:
        await site.listener.close()
    whole = both.removesuffix(closing)
    assert closing.replace(b"Connection: close\r\n", b"") == whole
    assert whole.startswith(b"HTTP/1.1 304" if lines == ("If-None-Match: *",) else b"HTTP/1.1 200")


async def test_a_change_and_a_removal_are_seen_by_the_next_request() -> None:
    site = await DeviceSite().start()
    try:
        assert body(DESK) in await answers(site, ask("GET"), ask("GET", "Connection: close"))
        site.table.apply(ProfileChanged(ProfileDocument(KEY, "text/xml", b"<new/>", "x.xml"), STAMP))
        changed = await answers(site, ask("GET"), ask("GET", "Connection: close"))
        site.table.apply(ProfileRemoved(KEY, "x.xml", STAMP))
        removed = await answers(site, ask("GET"), ask("GET", "Connection: close"))
    finally:
        await site.listener.close()
    assert changed.count(b"<new/>") == 2 and body(DESK) not in changed
    assert removed.count(b"HTTP/1.1 404") == 2


async def test_a_content_type_with_a_line_end_splits_no_answer() -> None:
    site = await DeviceSite().start()
    site.table.apply(ProfileChanged(ProfileDocument(KEY, "text/xml\r\nSet-Cookie: a=b", b"<x/>", "x.xml"), STAMP))
    try:
        found = await answers(site, ask("GET"), ask("GET", "Connection: close", device=UNKNOWN))
    finally:
        await site.listener.close()
    assert b"Set-Cookie" not in found
