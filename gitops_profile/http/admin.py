"""The admin socket: a Unix socket in the state folder, for this user only."""

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

Handler = Callable[[dict[str, Any]], Awaitable[Any]]


class AdminUnavailable(Exception):
    """No server answers on the socket; the message says what to do."""


class AdminError(Exception):
    """The server refused a request; raised by handlers, and again at the other end."""


def _short(path: Path) -> str:
    """The path in a form that fits the 108 bytes of a socket address."""
    text = str(path)
    return text if len(os.fsencode(text)) < 100 else os.path.relpath(text)


class AdminServer:
    """Serves named requests; `POST /v1/NAME` with a JSON object gives JSON back."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/v1/{name}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> None:
        """Listen; the state folder's lock guarantees that an old socket is nobody's."""
        self._path.unlink(missing_ok=True)
        await self._runner.setup()
        before = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, _short(self._path)).start()
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop and remove the socket."""
        await self._runner.cleanup()
        self._path.unlink(missing_ok=True)

    async def _answer(self, request: web.Request) -> web.Response:
        handler = self._handlers.get(request.match_info["name"])
        if handler is None:
            return web.json_response({"error": "this server does not know the request; is it older?"}, status=404)
        try:
            return web.json_response(await handler(await request.json()))
        except AdminError as error:
            return web.json_response({"error": str(error)}, status=400)


async def call_admin(path: Path, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
    """Ask a running server; raises AdminUnavailable, AdminError."""
    connector = aiohttp.UnixConnector(_short(path))
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.post(f"http://admin/v1/{name}", json=dict(parameters or {})) as response:
                data = await response.json()
                if response.status != 200:
                    raise AdminError(data.get("error", response.reason))
                return data
    except (aiohttp.ClientError, OSError) as error:
        hint = "start one with: gitops-profile serve (or name its folder with --state)"
        raise AdminUnavailable(f"no server is running on the state folder {path.parent}; {hint}") from error
