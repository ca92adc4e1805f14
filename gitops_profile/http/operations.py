"""/healthz and /metrics."""

from collections.abc import Callable
from typing import Any

from aiohttp import web


class OperationsServer:
    """The HTTP listener for those who watch the server."""

    def __init__(self, health: Callable[[], tuple[bool, dict[str, Any]]], metrics: Callable[[], bytes]) -> None:
        self._health = health
        self._metrics = metrics
        app = web.Application(client_max_size=1 << 16)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/metrics", self._exposition)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that was bound. Raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address: tuple[str, int] = self._runner.addresses[0][:2]
        return address[1]

    async def close(self) -> None:
        """Stop."""
        await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        well, facts = self._health()
        return web.json_response(facts, status=200 if well else 503)

    async def _exposition(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
