"""Documents by URL, asked for by curl: the answers that phones and proxies build on."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from gitops_profile.devices import How
from gitops_profile.http import UploadLimits, UploadMode, Uploads
from gitops_profile.http import documents as documents
from gitops_profile.presentity import (
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    Variant,
)

from .device_site import DESK, LOBBY, UNKNOWN, DeviceSite, body
from .site import DOMAIN, STAMP, curl

KEY = ProfileKey.device(DOMAIN, DESK)
SNOM = "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 0004132A1122 SXM:0 UXM:0)"
Run = Callable[[], Awaitable[None]]


@asynccontextmanager
async def serving(site: DeviceSite | None = None) -> AsyncIterator[DeviceSite]:
    made = await (site or DeviceSite()).start()
    try:
        yield made
    finally:
        await made.listener.close()


async def head_of(url: str, *options: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in small letters, body: by curl."""
    _, answer = await curl(url, "--include", *options)
    head, _, rest = answer.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, rest = rest.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return (
        int(status.split()[1]),
        {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)},
        rest,
    )


async def test_a_phone_gets_its_document_with_what_caches_need() -> None:
    async with serving() as site:
        status, headers, content = await head_of(site.url(DESK.upper()), "--user-agent", SNOM)
        document = site.table.get(KEY)
        assert document is not None and (status, content) == (200, body(DESK))
        assert headers["etag"] == f'"{document.etag}"'
        assert headers["last-modified"] == "Wed, 01 Jan 2020 00:00:00 GMT"  # the commit's time
        assert headers["content-type"] == "text/xml" and headers["accept-ranges"] == "none"
        [seen] = site.seen
        assert (seen.how, seen.mac, seen.vendor, seen.model, seen.firmware, seen.status, seen.etag, seen.key) == (
            How.GET, DESK, "snom", "D785", "10.1.33.33", 200, document.etag, str(KEY),
        )  # fmt: skip


async def test_head_says_the_same_and_sends_nothing() -> None:
    async with serving() as site:
        _, headers, _ = await head_of(site.url(DESK))
        status, only, content = await head_of(site.url(DESK), "--head")
        assert (status, content) == (200, b"") and only["etag"] == headers["etag"]
        assert only["content-length"] == str(len(body(DESK)))
        assert site.seen[-1].etag is None  # it has not fetched


async def test_a_part_is_not_given() -> None:
    async with serving() as site:
        status, _, content = await head_of(site.url(DESK), "--range", "0-3")
        assert (status, content) == (200, body(DESK))


@pytest.mark.parametrize(
    "path",
    [
        f"/p/{DOMAIN}/%2e%2e%2f{DESK}.xml", f"/p/{DOMAIN}/..%2f..%2fetc%2fpasswd", f"/p/{DOMAIN}/../{DESK}.xml",
        f"/p/{DOMAIN}/x%2f{DESK}.xml", f"/p/{DOMAIN}/{DESK}.xml%00", f"/p/{DOMAIN}/%5c{DESK}.xml",
        f"/p/{DOMAIN}//{DESK}.xml", f"/p/{DOMAIN}/{DESK}.xml/", "/p/", f"/p/{DOMAIN}/" + "a/" * 100 + f"{DESK}.xml",
        f"/p/{DOMAIN}/{'x' * 3000}", f"/p/{DOMAIN}/%ff%fe", f"/p/{DOMAIN}/user/alice.xml",
    ],
)  # fmt: skip
async def test_a_crooked_path_asks_for_nothing(path: str) -> None:
    async with serving() as site:
        root = "{0.scheme}://{0.netloc}".format(urlsplit(site.root))
        unknown = await head_of(site.url(UNKNOWN))
        status, headers, content = await head_of(root + path)
        assert (status, content) == (404, unknown[2])
        assert {name: value for name, value in headers.items() if name != "date"} == {
            name: value for name, value in unknown[1].items() if name != "date"
        }


async def test_folders_in_front_of_the_name_and_a_query_behind_it_mean_nothing() -> None:
    async with serving() as site:
        for url in (f"{site.root}Cisco/CP-7841-3PCC/{DESK}.cfg", f"{site.url(DESK)}?x=1"):
            assert (await curl(url))[1] == body(DESK)


async def test_the_chain_of_a_yealink_ends_at_its_own_file() -> None:
    async with serving() as site:
        names = (f"{DESK}.boot", "y000000000000.boot", "y000000000108.cfg", f"{DESK}.cfg")
        assert [(await curl(f"{site.root}{name}"))[0] for name in names] == ["404", "404", "404", "200"]
        assert site.missed == []  # nobody has guessed anything


async def test_a_phone_gets_the_variant_of_its_model() -> None:
    async with serving() as site:
        variant = Variant("snom", "D7*", None, "text/xml", b"<snom/>")
        document = ProfileDocument(KEY, "text/xml", b"<any/>", "p", variants=(variant,))
        site.table.apply(ProfileChanged(document, STAMP))
        assert (await curl(site.url(DESK), "--user-agent", SNOM))[1] == b"<snom/>"
        assert (await curl(site.url(DESK), "--user-agent", SNOM.replace("D785", "320")))[1] == b"<any/>"
        assert [seen.etag for seen in site.seen] == [variant.etag, document.etag]


# -- what phones send ----------------------------------------------------------------------------------------------


def keeping(folder: Path, **limits: int) -> DeviceSite:
    return DeviceSite(uploads=Uploads(UploadMode.KEEP, folder, UploadLimits(**limits)))


def kept_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*/*"))


async def test_a_log_is_kept_and_replaced(tmp_path: Path) -> None:
    async with serving(keeping(tmp_path)) as site:
        url = f"{site.root}{DESK}-app.log"
        log = tmp_path / "log"
        for text, status in (("one", 201), ("two", 204)):
            log.write_text(text)
            assert (await head_of(url, "--upload-file", str(log)))[0] == status
            [kept] = (tmp_path / DESK).iterdir()
            assert (kept.name, kept.read_text()) == (f"{DESK}-app.log", text)
        assert {seen.how for seen in site.seen} == {How.PUT}


async def test_the_log_of_nobody_is_not_taken(tmp_path: Path) -> None:
    async with serving(keeping(tmp_path)) as site:
        for name in (f"{UNKNOWN}-app.log", "app.log"):
            assert (await head_of(f"{site.root}{name}", "--data-binary", "x"))[0] == 404
        assert kept_in(tmp_path) == []


@pytest.mark.parametrize("options", [[], ["--header", "Expect:"]], ids=["asking-first", "at-once"])
async def test_a_gigabyte_is_refused_before_it_is_sent(tmp_path: Path, options: list[str]) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 30)  # has no blocks on the disk
    async with serving(keeping(tmp_path / "kept")) as site:
        url = f"{site.root}{DESK}-app.log"
        sent = "%{stderr}%{http_code} %{size_upload}"
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--upload-file", str(huge), "--write-out", sent, *options, url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()
        status, size = said.decode().split()
        assert status == "413" and int(size) < 16 << 20
        assert (await curl(site.url(DESK)))[0] == "200"


async def test_an_endless_upload_without_a_length_is_cut_off(tmp_path: Path) -> None:
    async with serving(keeping(tmp_path, file_bytes=10_000)) as site:
        status, _, _ = await head_of(
            f"{site.root}{DESK}-app.log", "--header", "Transfer-Encoding: chunked", "--data-binary", "x" * 100_000
        )
        assert status == 413 and not (tmp_path / DESK).exists()


async def test_what_is_kept_is_bounded_and_the_oldest_goes(tmp_path: Path) -> None:
    async with serving(keeping(tmp_path, file_bytes=1000, total_bytes=10_000)) as site:
        for device in (DESK, LOBBY):
            for name in ("boot", "app"):
                status, _, _ = await head_of(f"{site.root}{device}-{name}.log", "--data-binary", name[0] * 1000)
                assert status == 201
        assert kept_in(tmp_path) == [f"{LOBBY}-app.log", f"{LOBBY}-boot.log"]


async def test_empty_files_fill_no_disk(tmp_path: Path) -> None:
    async with serving(keeping(tmp_path, total_bytes=10_000)) as site:
        for number in range(5):
            status, _, _ = await head_of(f"{site.root}{DESK}-{number}.log", "--data-binary", "")
            assert status == 201
    assert kept_in(tmp_path) == [f"{DESK}-3.log", f"{DESK}-4.log"]


async def test_a_phone_with_many_names_drops_its_own_files_and_nobody_elses(tmp_path: Path) -> None:
    async with serving(keeping(tmp_path, device_files=2)) as site:
        for name in (f"{LOBBY}-boot", *(f"{DESK}-{number}" for number in range(5))):
            assert (await head_of(f"{site.root}{name}.log", "--data-binary", "x"))[0] == 201
    assert kept_in(tmp_path) == [f"{DESK}-3.log", f"{DESK}-4.log", f"{LOBBY}-boot.log"]


async def test_more_at_once_than_fit_into_memory_are_put_off(tmp_path: Path) -> None:
    async with serving(keeping(tmp_path, at_once=1)) as site:
        address = urlsplit(site.root)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(f"PUT {address.path}{DESK}-app.log HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab".encode())
        await writer.drain()
        statuses = [(await head_of(f"{site.root}{DESK}-boot.log", "--data-binary", "x"))[0] for _ in range(5)]
        assert statuses[-1] == 503  # the first one has been begun by then
        writer.write(b"cd")
        assert (await reader.readline()).startswith(b"HTTP/1.1 201")
        assert (await head_of(f"{site.root}{DESK}-web.log", "--data-binary", "x"))[0] == 201
        writer.close()


async def test_a_part_of_a_file_is_not_taken_for_the_file(tmp_path: Path) -> None:
    """RFC 9110 §14.5."""
    async with serving(keeping(tmp_path)) as site:
        part = ("--data-binary", "x", "--header", "Content-Range: bytes 1-1/3")
        for method in ("PUT", "POST"):
            assert (await head_of(f"{site.root}{DESK}-app.log", "--request", method, *part))[0] == 400
            assert (await head_of(f"{site.root}{UNKNOWN}-app.log", "--request", method, *part))[0] == 404
        assert kept_in(tmp_path) == []


async def test_an_upload_may_be_meant_as_the_first_or_not(tmp_path: Path) -> None:
    """RFC 9110 §13.1.1, §13.1.2. None has an entity-tag."""
    async with serving(keeping(tmp_path)) as site:

        async def put(text: str, *conditions: str) -> int:
            options = [part for condition in conditions for part in ("--header", condition)]
            url = f"{site.root}{DESK}-app.log"
            return (await head_of(url, "--request", "PUT", "--data-binary", text, *options))[0]

        assert await put("a", "If-Match: *") == 412
        assert kept_in(tmp_path) == []
        assert await put("b", "If-None-Match: *") == 201
        assert await put("c", "If-None-Match: *") == 412
        assert await put("d", 'If-Match: "x"') == 412
        assert await put("e", "If-Match: *", "If-None-Match: *") == 412
        assert (tmp_path / DESK / f"{DESK}-app.log").read_text() == "b"
        assert await put("f", "If-Match: *") == 204
        assert await put("g", 'If-None-Match: "x"') == 204
        assert (tmp_path / DESK / f"{DESK}-app.log").read_text() == "g"
    async with serving() as site:  # which forgets them
        assert [await put("h", "If-None-Match: *"), await put("i", "If-Match: *")] == [204, 412]


async def test_of_two_that_are_to_be_the_first_one_is(tmp_path: Path) -> None:
    async with serving(keeping(tmp_path)) as site:
        options = ("--request", "PUT", "--data-binary", "x", "--header", "If-None-Match: *")
        answers = await asyncio.gather(*(head_of(f"{site.root}{DESK}-app.log", *options) for _ in range(8)))
        assert sorted(status for status, _, _ in answers) == [201, *[412] * 7]


@pytest.mark.parametrize(
    "head, body_",
    [
        ("Content-Length: 4", "ab"),
        ("Transfer-Encoding: chunked", "2\r\nab\r\n"),
        ("Transfer-Encoding: chunked", "no\r\n"),
    ],
    ids=["stops", "stops between chunks", "no chunk"],
)
async def test_an_upload_of_which_nothing_comes_is_given_up(
    head: str, body_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "SILENT_SECONDS", 0.05)
    async with serving(keeping(tmp_path)) as site:
        address = urlsplit(site.root)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(f"PUT {address.path}{DESK}-app.log HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            while not site.uploads._under_way:  # noqa: ASYNC110  # else aiohttp itself answers what is no chunk
                await asyncio.sleep(0.001)
        writer.write(body_.encode())
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()
    assert kept_in(tmp_path) == []


async def test_uploads_may_be_forgotten_or_refused() -> None:
    async with serving() as site:
        assert (await head_of(f"{site.root}{DESK}-app.log", "--data-binary", "x"))[0] == 204
    refusing = DeviceSite(uploads=Uploads(UploadMode.REFUSE, Path("nowhere"), UploadLimits()))
    async with serving(refusing) as site:
        status, headers, _ = await head_of(f"{site.root}{DESK}-app.log", "--data-binary", "x")
        assert status == 405 and headers["allow"] == "GET, HEAD"


async def test_a_full_disk_is_said_and_the_server_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way of a folder")
    async with serving(keeping(blocked)) as site:
        assert (await head_of(f"{site.root}{DESK}-app.log", "--data-binary", "x"))[0] == 507
        assert (await curl(site.url(DESK)))[0] == "200"
    assert "cannot be kept" in caplog.text


# -- slow clients --------------------------------------------------------------------------------------------------


async def test_a_slow_reader_is_cut_off_and_has_not_fetched() -> None:
    async with serving(DeviceSite(write_seconds=0.2)) as site:
        large = ProfileDocument(KEY, "text/xml", b"x" * (32 << 20), "p")
        site.table.apply(ProfileChanged(large, STAMP))
        address = urlsplit(site.root)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (address.hostname, address.port))
            await loop.sock_sendall(sock, f"GET {urlsplit(site.url(DESK)).path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            async with asyncio.timeout(10):
                assert await loop.sock_recv(sock, 100)
                await asyncio.sleep(0.5)
                received = 0
                try:
                    while data := await loop.sock_recv(sock, 1 << 20):
                        received += len(data)
                except ConnectionResetError:
                    received += 0  # it was aborted, which is what was wanted
            assert received < 32 << 20
        assert not any(seen.etag for seen in site.seen)


async def test_a_request_for_nothing_is_forgotten() -> None:
    async with serving() as site:
        for _ in range(3):
            assert (await curl(site.url(UNKNOWN)))[0] == "404"
        gc.collect()
        waiting = [one for one in gc.get_objects() if type(one) is web.Request]
        assert len(waiting) <= 1, "a flood of them would fill the memory"
