"""Revisions over HTTP: only with the token, only what is asked for, never more waiting than there is room for."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gitops_profile.http import (
    AdminError,
    AdminUnavailable,
    HTTPListener,
    RevisionAnswers,
    ask_revision,
    read_token,
)
from gitops_profile.http import revisions as revisions_module
from tests.system.lab import need

COMMIT = "0123456789abcdef" * 2 + "01234567"
TOKEN = b"a-long-and-random-token"


class Wait:
    """In place of the server's answer to `wait`."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any] | Exception] = []
        self.arrived = asyncio.Semaphore(0)
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, parameters: dict[str, Any]) -> Any:
        self.asked.append(parameters)
        self.arrived.release()
        await self.go.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Place:
    """A listener with the route, and who asks it."""

    def __init__(self, folder: Path) -> None:
        self.token_file = folder / "token"
        self.token_file.write_bytes(TOKEN + b"\n")
        self.wait = Wait()
        self.wait.answers = [{"revision": COMMIT, "acknowledged": 2}]
        self.listener = HTTPListener(RevisionAnswers(self.token_file, self.wait).routes())
        self.url = ""

    async def get(self, path: str, authorization: str | None = f"Bearer {TOKEN.decode()}") -> tuple[int, Any]:
        headers = {} if authorization is None else {"Authorization": authorization}
        async with aiohttp.ClientSession() as session, session.get(self.url + path, headers=headers) as response:
            return response.status, await response.json()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    host, port = await made.listener.listen("127.0.0.1", 0)
    made.url = f"http://{host}:{port}"
    yield made
    await made.listener.close()


async def test_the_answer_is_that_of_the_admin_socket(place: Place) -> None:
    status, body = await place.get(f"/revisions/{COMMIT}?for=acknowledged&timeout=9.5")
    assert (status, body) == (200, {"revision": COMMIT, "acknowledged": 2})
    assert place.wait.asked == [{"revision": COMMIT, "for": "acknowledged", "timeout": 9.5}]
    await place.get(f"/revisions/{COMMIT}?timeout=100000")
    assert place.wait.asked[-1] == {"revision": COMMIT, "for": "applied", "timeout": 30.0}


@pytest.mark.peer
async def test_curl_gets_it(place: Place) -> None:
    command = [need("curl"), "-sS", "--fail", "-H", f"Authorization: Bearer {TOKEN.decode()}"]
    done = await asyncio.to_thread(
        subprocess.run, [*command, f"{place.url}/revisions/{COMMIT}"], capture_output=True, check=True, timeout=20
    )
    assert json.loads(done.stdout)["acknowledged"] == 2


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN.decode()}",
        f"Bearer {TOKEN.decode()}x",
        "Bearer \xe4",
    ],
)
async def test_without_the_token_nothing_is_told_or_asked(place: Place, authorization: str | None) -> None:
    for path in (f"/revisions/{COMMIT}", "/revisions/nonsense"):
        status, body = await place.get(path, authorization)
        assert status == 401 and "acknowledged" not in body
    assert place.wait.asked == []


async def test_a_new_token_holds_at_once_and_one_that_is_gone_or_too_short_lets_nobody_in(place: Place) -> None:
    place.token_file.write_bytes(b"another-long-random-token")
    assert (await place.get(f"/revisions/{COMMIT}"))[0] == 401
    assert (await place.get(f"/revisions/{COMMIT}", "bearer another-long-random-token"))[0] == 200
    place.token_file.write_bytes(b"short")
    assert (await place.get(f"/revisions/{COMMIT}", "Bearer short"))[0] == 401
    place.token_file.write_bytes(b"")
    assert (await place.get(f"/revisions/{COMMIT}", "Bearer "))[0] == 401
    place.token_file.unlink()
    assert (await place.get(f"/revisions/{COMMIT}"))[0] == 401


@pytest.mark.parametrize(
    "path",
    ["/revisions/main", f"/revisions/{COMMIT[:12]}", f"/revisions/{COMMIT.upper()}", f"/revisions/{COMMIT}?for=all",
     f"/revisions/{COMMIT}?timeout=x", f"/revisions/{COMMIT}?timeout=-1", f"/revisions/{COMMIT}?timeout=nan",
     f"/revisions/{COMMIT}?timeout=inf"],
)  # fmt: skip
async def test_what_is_no_question_is_answered_400(place: Place, path: str) -> None:
    assert (await place.get(path))[0] == 400 and place.wait.asked == []


async def test_it_can_only_be_read(place: Place) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN.decode()}"}) as session:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            async with session.request(method, f"{place.url}/revisions/{COMMIT}") as response:
                assert response.status == 405
    assert place.wait.asked == []


async def test_one_too_many_is_answered_503(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions_module, "MAX_WAITING", 2)
    place.wait.go.clear()
    waiting = [asyncio.create_task(place.get(f"/revisions/{COMMIT}")) for _ in range(2)]
    for _ in waiting:
        await place.wait.arrived.acquire()
    assert (await place.get(f"/revisions/{COMMIT}"))[0] == 503
    place.wait.go.set()
    assert [status for status, _ in await asyncio.gather(*waiting)] == [200, 200]
    assert (await place.get(f"/revisions/{COMMIT}"))[0] == 200


# -- the client --------------------------------------------------------------------------------------------------

ASKED = {"revision": COMMIT, "for": "acknowledged", "timeout": 2.5}


async def test_the_client_asks_as_on_the_admin_socket(place: Place) -> None:
    assert await ask_revision(place.url + "/", TOKEN, ASKED) == {"revision": COMMIT, "acknowledged": 2}
    assert place.wait.asked == [ASKED]


async def test_the_client_says_what_is_wrong(place: Place, unused_port: int) -> None:
    with pytest.raises(AdminError, match="does not take this token"):
        await ask_revision(place.url, b"wrong", ASKED)
    with pytest.raises(AdminError, match="whole commit id"):
        await ask_revision(place.url, TOKEN, ASKED | {"revision": "abc"})
    place.wait.answers = [AdminError("no such revision")]
    with pytest.raises(AdminError, match="no such revision"):
        await ask_revision(place.url, TOKEN, ASKED)
    with pytest.raises(AdminUnavailable, match="does not answer: "):
        await ask_revision(f"http://127.0.0.1:{unused_port}", TOKEN, ASKED)


@pytest.mark.parametrize("url", ["http://prov.example.com", "http://192.0.2.1:8060", "ftp://127.0.0.1", "prov", ""])
async def test_the_token_never_travels_in_the_clear(url: str) -> None:
    with pytest.raises(AdminError, match="https"):
        await ask_revision(url, TOKEN, ASKED)


async def test_a_server_that_is_away_for_a_moment_is_told_from_one_that_is_none() -> None:
    answers, seen = [503, 502, 200], []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.json_response({"acknowledged": 1}, status=answers.pop(0))

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("/revisions/" + COMMIT)

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    listener = HTTPListener(
        [
            web.get("/revisions/{commit}", handle),
            web.get("/away/revisions/{commit}", away),
            web.get("/page/revisions/{commit}", page),
        ]
    )
    host, port = await listener.listen("127.0.0.1", 0)
    url = f"http://{host}:{port}"
    try:
        for status in (503, 502):
            with pytest.raises(AdminUnavailable, match=f"answers {status} now"):
                await ask_revision(url, TOKEN, ASKED)
        assert await ask_revision(url, TOKEN, ASKED) == {"acknowledged": 1}
        assert seen == [f"Bearer {TOKEN.decode()}"] * 3
        for path, status in (("away", 302), ("page", 200), ("nothing", 404)):
            with pytest.raises(AdminError, match=f"answers {status}: is it a gitops-profile server"):
                await ask_revision(f"{url}/{path}", TOKEN, ASKED)
        assert len(seen) == 3, "a redirection is not followed"
    finally:
        await listener.close()


def test_a_token_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b" 0123456789abcdef\r\n")
    assert read_token(file) == b"0123456789abcdef"
    file.write_bytes(b"short\n")
    with pytest.raises(ValueError, match="fewer than 16"):
        read_token(file)


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
