"""The admin socket: how the command line (admin_client.py) talks to a running server, and to nobody else's.

A Unix socket in the state folder that only its owner may open; `POST /v1/<name>` with the parameters as a JSON object,
answered with `{"result": …}` or `{"error": "…"}`.
"""

import json
import logging
import pwd
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from gitops_profile.admin_client import AdminError

from .admin_socket import AdminSocket
from .handler import Handler
from .listener import HTTPLimits, HTTPListener

logger = logging.getLogger(__name__)

LIMITS = HTTPLimits(connections=100, body_bytes=1 << 20)

_CREDENTIALS = struct.Struct("3i")
"""pid, uid, gid of SO_PEERCRED (unix(7))."""


class AdminServer:
    """Handlers by name on a Unix socket. Whoever opens it holds the state folder's lock."""

    def __init__(self, place: Path | AdminSocket, handlers: Mapping[str, Handler]) -> None:
        """`place` is where the socket is to be, or is."""
        self._place = place
        self._handlers = dict(handlers)
        self._listener = HTTPListener([web.post("/v1/{name}", self._answer)], LIMITS)

    async def start(self) -> None:
        """Answer. Raises OSError when the socket cannot be bound."""
        if isinstance(self._place, Path):
            self._place = await AdminSocket.open(self._place)
        await self._listener.listen_on(self._place.sock)

    async def close(self) -> None:
        """Finish what is being answered and remove the socket."""
        await self._listener.close()
        if isinstance(self._place, AdminSocket):
            await self._place.close()

    async def _answer(self, request: web.Request) -> web.Response:
        handler = self._handlers.get(request.match_info["name"])
        if handler is None:
            return _error(404, f"the server knows no {request.match_info['name']}: is it of another version?")
        try:
            params = json.loads(await request.text() or "{}")
        except ValueError:
            return _error(400, "the parameters are not JSON")
        if not isinstance(params, dict):
            return _error(400, "the parameters are not a JSON object")
        params["by"] = _user_of(request)
        try:
            result = await handler(params)
        except AdminError as error:
            return _error(400, str(error))
        except Exception:
            logger.exception("admin request failed name=%s", request.match_info["name"])
            return _error(500, "the server failed to answer; its log says why")
        return web.json_response({"result": result})


def _user_of(request: web.Request) -> str:
    """Who is at the other end of the socket."""
    sock = request.transport.get_extra_info("socket") if request.transport is not None else None
    if sock is None:
        return "unknown"  # gone already
    _, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"  # as in a container


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
