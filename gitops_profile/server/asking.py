"""Where people and programs ask: the admin socket, and HTTP. What they stand on takes 0.15 s to import."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gitops_profile.config import Config, HostPort
from gitops_profile.http import AdminSocket, Handler
from gitops_profile.transport import Certificates, ListenError

if TYPE_CHECKING:
    from aiohttp import web

    from gitops_profile.http import Below, OperationsServer

ADMIN_WAITS = 1.0
"""Seconds at most until the admin socket is answered."""


async def answer_admin(admin: AdminSocket, handlers: Mapping[str, Handler], ready: asyncio.Event | None) -> None:
    """Answer the command line: behind `ready`, where that is a matter of a moment, else at once."""
    if ready is not None:
        try:
            async with asyncio.timeout(ADMIN_WAITS):
                await ready.wait()
        except TimeoutError:
            pass  # whoever asks wants to know what it waits for
    await admin.serve(handlers)


async def start_http(
    config: Config, connections: int, https: Certificates | None, routes: Sequence[web.RouteDef | Below],
    health: Callable[[], tuple[bool, dict[str, Any]]], expose: Callable[[], bytes],
) -> tuple[OperationsServer, str]:  # fmt: skip
    """Listen, and answer with these routes; the server and its URL. Raises ListenError."""
    from gitops_profile.http import HTTPLimits, OperationsServer  # with aiohttp, which a server without HTTP is spared

    listen = config.http.listen
    assert listen is not None
    limits = HTTPLimits(connections=connections)
    server = OperationsServer(health, expose, routes, limits, tuple(config.trusted_proxies))
    context = https.server if https is not None else None
    try:
        port = await server.start(listen.host, listen.port, context)
    except OSError as error:
        raise ListenError(f"cannot listen on http {listen}: {error.strerror or error}") from error
    return server, f"{'http' if context is None else 'https'}://{HostPort(listen.host, port)}/"
