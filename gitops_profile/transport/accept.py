"""Accepting connections: each within the bounds before its first byte is read, TLS handshakes included."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from .limits import Admission, Reason

logger = logging.getLogger(__name__)

BACKLOG = 1024
"""Connections that the kernel holds until we accept them."""
PAUSE = 1.0
"""Seconds without accepting after the process ran out of file descriptors."""


class Acceptor:
    """Bound stream sockets that take connections."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._opening: set[asyncio.Task[None]] = set()

    def listen(
        self,
        sock: socket.socket,
        protocol: Callable[[int], asyncio.Protocol],
        context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Accept on `sock` from now on.

        `protocol` makes one for the connection of that number and releases the number once the connection that was
        made is lost. `context` is asked for each connection, so that a new certificate holds from the next one on.
        """
        sock.listen(BACKLOG)
        task = asyncio.get_running_loop().create_task(self._accept(sock, protocol, context))
        self._sockets.append(sock)
        self._accepting.append(task)

    async def close(self) -> None:
        """Accept no more, and drop what is in its handshake."""
        await asyncio.sleep(0)  # a task that never began would not close what it was given
        tasks = [*self._accepting, *self._opening]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for sock in self._sockets:
            sock.close()

    async def _accept(
        self,
        sock: socket.socket,
        protocol: Callable[[int], asyncio.Protocol],
        context: Callable[[], ssl.SSLContext] | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(sock)
            except ConnectionError:
                continue  # it was gone before it was accepted
            except OSError as error:
                logger.warning("no connection can be accepted: %s", error.strerror)
                await asyncio.sleep(PAUSE)
                continue
            number = self._admission.admit(address[0])
            if number is None:
                connection.close()
            else:
                task = loop.create_task(self._open(connection, number, protocol(number), context))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)
            await asyncio.sleep(0)  # an accept that need not wait does not yield: a flood must not stop the loop

    async def _open(
        self,
        connection: socket.socket,
        number: int,
        protocol: asyncio.Protocol,
        context: Callable[[], ssl.SSLContext] | None,
    ) -> None:
        limits = self._admission.limits
        source = _source(connection)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=None if context is None else context(),
                ssl_handshake_timeout=None if context is None else limits.handshake,
                ssl_shutdown_timeout=None if context is None else limits.linger,
            )
        except OSError as error:  # ssl.SSLError is one
            logger.debug("handshake failed source=%s: %s", source, error)
            self._admission.release(number)
            self._admission.refuse(source, Reason.HANDSHAKE)
        except asyncio.CancelledError:
            connection.close()
            self._admission.release(number)
            raise


def _source(connection: socket.socket) -> str:
    try:
        return str(connection.getpeername()[0])
    except OSError:
        return "unknown"  # it is gone already
