"""The admin socket: how the command line (admin_client.py) talks to a running server, and to nobody else's.

A Unix socket in the state folder that only its owner may open; `POST /v1/<name>` with the parameters as a JSON object,
answered with `{"result": …}` or `{"error": "…"}`.
"""

import asyncio
import errno
import json
import logging
import pwd
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from gitops_profile.admin_client import AdminError, short_path

from .listener import HTTPLimits, HTTPListener

logger = logging.getLogger(__name__)

LIMITS = HTTPLimits(connections=100, body_bytes=1 << 20)

Handler = Callable[[dict[str, Any]], Awaitable[Any]]
"""Takes parameters and returns data for JSON. An AdminError it raises is the caller's answer.

The parameter `by` is the name of the user who asks: the kernel says so, whatever was sent.
"""
_CREDENTIALS = struct.Struct("3i")
"""pid, uid, gid of SO_PEERCRED (unix(7))."""


class AdminServer:
    """Handlers by name on a Unix socket. Whoever opens it holds the state folder's lock."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = dict(handlers)
        self._listener = HTTPListener([web.post("/v1/{name}", self._answer)], LIMITS)
        self._inode = 0

    async def start(self) -> None:
        """Bind the socket in place of what a killed server left behind. Raises OSError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._inode = await asyncio.to_thread(_bind, sock, self._path)
        except BaseException:
            sock.close()
            raise
        await self._listener.listen_on(sock)

    async def close(self) -> None:
        """Finish what is being answered and remove the socket."""
        await self._listener.close()
        await asyncio.to_thread(_remove, self._path, self._inode)

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


def _bind(sock: socket.socket, path: Path) -> int:
    """Bind with mode 0600 and return the socket file's inode. Nobody can connect before the listen() that follows."""
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise FileExistsError(errno.EEXIST, "is in the way of the admin socket: move it away", str(path))
    path.unlink(missing_ok=True)
    with short_path(path) as name:
        sock.bind(name)
    path.chmod(0o600)
    return path.stat().st_ino


def _remove(path: Path, inode: int) -> None:
    """Remove our socket file, unless another server's is there by now."""
    try:
        if path.stat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        logger.debug("the admin socket was gone already path=%s", path)


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
