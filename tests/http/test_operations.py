"""/healthz and /metrics, over a real socket."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from gitops_profile.http import OperationsServer


class Watched:
    """What the routes ask about."""

    def __init__(self) -> None:
        self.well = False
        self.position = 7

    def health(self) -> tuple[bool, dict[str, object]]:
        return self.well, {"ready": self.well}

    def metrics(self) -> bytes:
        return f"gitops_profile_log_position {self.position}\n".encode()


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
async def client(watched: Watched) -> AsyncIterator[aiohttp.ClientSession]:
    server = OperationsServer(watched.health, watched.metrics, [web.get("/hello", hello)])
    port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session
    await server.close()


async def test_health_is_503_until_ready(watched: Watched, client: aiohttp.ClientSession) -> None:
    async with client.get("/healthz") as response:
        assert response.status == 503
        assert await response.json() == {"ready": False}
    watched.well = True
    async with client.get("/healthz") as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json() == {"ready": True}


async def test_health_answers_a_head_request(client: aiohttp.ClientSession) -> None:
    async with client.head("/healthz") as response:
        assert response.status == 503


async def test_metrics_are_prometheus_text_of_now(watched: Watched, client: aiohttp.ClientSession) -> None:
    for position in (7, 8):
        watched.position = position
        async with client.get("/metrics") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert await response.text() == f"gitops_profile_log_position {position}\n"


async def test_other_routes_are_served_beside(client: aiohttp.ClientSession) -> None:
    async with client.get("/hello") as response:
        assert await response.text() == "hello"


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/healthz", 405), ("GET", "/", 404)])
async def test_nothing_else_is_there(client: aiohttp.ClientSession, method: str, path: str, status: int) -> None:
    async with client.request(method, path) as response:
        assert response.status == status
