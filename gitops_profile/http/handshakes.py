"""Accepting HTTPS connections: handshakes under way are counted, timed, and each made with the certificate of now.

asyncio's own TLS servers have one context for ever, and do not tell of a connection before its handshake is done.
"""

import asyncio
import logging
import math
import socket
import ssl
from collections.abc import Callable

from .front import Front

logger = logging.getLogger(__name__)

BACKLOG = 1024
"""Connections that the kernel holds until we accept them."""
PAUSE = 1.0
"""Seconds without accepting after the process ran out of file descriptors."""
SAY_EVERY = 60.0
"""Seconds between two lines about clients whose certificate is not accepted."""


class Handshakes:
    """Sockets that accept TLS; its length is the number of handshakes under way."""

    def __init__(self, seconds: float, goodbye: float) -> None:
        """`seconds` for a handshake, `goodbye` for the end of a connection."""
        self._seconds = seconds
        self._goodbye = goodbye
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._said_at = -math.inf

    def __len__(self) -> int:
        return len(self._opening)

    def accept_on(
        self,
        sock: socket.socket,
        protocol: Callable[[str | None], Front | None],
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        """Accept on a bound, non-blocking socket from now on.

        `protocol(peer)`, by the peer's IP address, is whose the connection is; one without it is closed at once.
        """
        sock.listen(BACKLOG)
        self._sockets.append(sock)
        self._accepting.append(asyncio.get_running_loop().create_task(self._accept(sock, protocol, context)))

    async def close(self) -> None:
        """Accept no more, and drop what is in its handshake."""
        tasks = [*self._accepting, *self._opening]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for sock in self._sockets:
            sock.close()

    async def _accept(
        self,
        sock: socket.socket,
        protocol: Callable[[str | None], Front | None],
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(sock)
            except ConnectionError:
                continue  # it was gone before it was accepted
            except OSError as error:
                logger.warning("no https connection can be accepted: %s", error.strerror)
                await asyncio.sleep(PAUSE)
                continue
            wanted = protocol(str(address[0]) if isinstance(address, tuple) else None)
            if wanted is None:
                connection.close()
            else:
                task = loop.create_task(self._open(connection, wanted, context()))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)
            await asyncio.sleep(0)  # an accept that need not wait does not yield: a flood must not stop the loop

    async def _open(self, connection: socket.socket, protocol: Front, context: ssl.SSLContext) -> None:
        peer = _peer(connection)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=context,
                ssl_handshake_timeout=self._seconds,
                ssl_shutdown_timeout=self._goodbye,
            )
        except ssl.SSLCertVerificationError as error:
            self._say(peer, error)
        except OSError as error:  # ssl.SSLError is one
            logger.debug("https handshake failed: %s", error)
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            protocol.not_made()

    def _say(self, peer: str, error: ssl.SSLCertVerificationError) -> None:
        """Somebody will ask why: a phone that shows a certificate of an unknown authority gets no answer at all."""
        now = asyncio.get_running_loop().time()
        level = logging.WARNING if now - self._said_at >= SAY_EVERY else logging.DEBUG
        if level == logging.WARNING:
            self._said_at = now
        logger.log(level, "a client's certificate is not accepted source=%s: %s", peer, error.verify_message)


def _peer(connection: socket.socket) -> str:
    try:
        return str(connection.getpeername()[0])
    except OSError:  # it is gone
        return "unknown"
