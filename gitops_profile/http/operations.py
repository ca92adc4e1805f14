"""What is asked about a running server: is it ready (/healthz), and what has it counted (/metrics)."""

import ssl
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from .client_address import Proxies
from .listener import Below, HTTPLimits, HTTPListener

Health = Callable[[], tuple[bool, dict[str, Any]]]
"""Whether phones are served, and facts for JSON. No names of users or devices in them: anyone may ask."""

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format."""


class OperationsServer:
    """The HTTP listener for those who watch the server, and for whatever else is served beside it."""

    def __init__(
        self,
        health: Health,
        metrics: Callable[[], bytes],
        routes: Iterable[web.RouteDef | Below] = (),
        limits: HTTPLimits | None = None,
        proxies: Proxies = (),
    ) -> None:
        """`proxies` are the networks of trusted reverse proxies."""
        self._health = health
        self._metrics = metrics
        own = [web.get("/healthz", self._healthz), web.get("/metrics", self._exposition)]
        self._listener = HTTPListener([*own, *routes], limits, proxies)

    async def start(self, host: str, port: int, context: Callable[[], ssl.SSLContext] | None = None) -> int:
        """Listen, with a `context` for HTTPS; the port that was bound. Raises OSError."""
        _, bound = await self._listener.listen(host, port, context)
        return bound

    async def close(self) -> None:
        """Let requests under way finish for a moment, then stop."""
        await self._listener.close()

    async def _healthz(self, request: web.Request) -> web.Response:
        well, facts = self._health()
        return web.json_response(facts, status=200 if well else 503, headers={"Cache-Control": "no-store"})

    async def _exposition(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": EXPOSITION, "Cache-Control": "no-store"})
