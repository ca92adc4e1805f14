"""The admin socket itself, which is there before whoever answers on it: who connects early waits.

Without aiohttp, whose import takes 0.15 s: a server is ready before that.
"""

import asyncio
import errno
import logging
import socket
import stat
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Self

from gitops_profile.admin_client import short_path

from .handler import Handler

logger = logging.getLogger(__name__)

_WAITING = 100
"""Connections that nobody has accepted yet."""


class AdminSocket:
    """A Unix socket in the state folder, that only its owner may open; whoever makes it holds the folder's lock."""

    def __init__(self, path: Path, sock: socket.socket, inode: int) -> None:
        self.sock = sock
        self._path = path
        self._inode = inode

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Bind it in place of what a killed server left behind. Raises OSError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            return cls(path, sock, await asyncio.to_thread(_bind, sock, path))
        except BaseException:
            sock.close()
            raise

    async def serve(self, handlers: Mapping[str, Handler]) -> None:
        """Answer until it is cancelled."""
        admin = await asyncio.to_thread(import_module, f"{__package__}.admin")  # not in the loop's way (I8)
        server = admin.AdminServer(self, handlers)
        await server.start()
        try:
            await asyncio.Event().wait()
        finally:
            await server.close()

    async def close(self) -> None:
        """Remove it."""
        self.sock.close()
        await asyncio.to_thread(_remove, self._path, self._inode)


def _bind(sock: socket.socket, path: Path) -> int:
    """Bind with mode 0600 and return the socket file's inode. Nobody can connect before the listen() at the end."""
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise FileExistsError(errno.EEXIST, "is in the way of the admin socket: move it away", str(path))
    path.unlink(missing_ok=True)
    with short_path(path) as name:
        sock.bind(name)
    path.chmod(0o600)
    sock.listen(_WAITING)
    return path.stat().st_ino


def _remove(path: Path, inode: int) -> None:
    """Remove our socket file, unless another server's is there by now."""
    try:
        if path.stat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        logger.debug("the admin socket was gone already path=%s", path)
