"""Accepting HTTP and HTTPS connections: each within the bounds before it costs anything, TLS handshakes included.

asyncio's own servers have one TLS context for ever, do not tell of a connection before its handshake is done, and take
a hundred connections at once before one that is not wanted is closed. Without file descriptors they write a hundred
tracebacks at once, and a hundred times as many the next time.
"""

import asyncio
import logging
import math
import socket
import ssl
from collections.abc import Callable
from typing import Any

from .front import Front

logger = logging.getLogger(__name__)

BACKLOG = 1024
"""Connections that the kernel holds until we accept them."""
AT_ONCE = 16
"""Of them accepted in one turn of the loop, which a flood must not stop (invariant I8)."""
PAUSE = 1.0
"""Seconds without accepting after the process ran out of file descriptors."""
SAY_EVERY = 60.0
"""Seconds between two lines about clients whose certificate is not accepted."""


class Acceptor:
    """Sockets that accept."""

    def __init__(self, seconds: float, goodbye: float) -> None:
        """`seconds` for a handshake, `goodbye` for the end of a TLS connection."""
        self._seconds = seconds
        self._goodbye = goodbye
        self._sockets: list[socket.socket] = []
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._said_at = -math.inf

    def accept_on(
        self,
        sock: socket.socket,
        protocol: Callable[[str | None], Front | None],
        context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Accept on a bound, non-blocking socket from now on, with a `context` TLS.

        `protocol(peer)`, by the peer's IP address, is whose the connection is; one without it is closed at once. From
        then on it counts, whether or not it comes to be made.
        """
        loop = asyncio.get_running_loop()

        def accepted(connection: socket.socket, address: Any) -> None:
            peer = str(address[0]) if isinstance(address, tuple) else None
            wanted = protocol(peer)
            if wanted is None:
                connection.close()
                return
            made_with = context() if context is not None else None
            task = loop.create_task(self._open(connection, peer, wanted, made_with))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

        sock.listen(BACKLOG)
        self._sockets.append(sock)
        loop.add_reader(sock, self._accept_some, sock, accepted)

    async def close(self) -> None:
        """Accept no more, and drop what is in its handshake; a second time does nothing."""
        loop = asyncio.get_running_loop()
        while self._sockets:
            sock = self._sockets.pop()
            loop.remove_reader(sock)
            sock.close()
        for pause in self._pauses.values():
            pause.cancel()
        for task in list(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _accept_some(self, sock: socket.socket, accepted: Callable[[socket.socket, Any], None]) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(AT_ONCE):
            try:
                connection, address = sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # it was gone before it was accepted
            except OSError as error:
                logger.warning("no http connection can be accepted: %s", error.strerror)
                loop.remove_reader(sock)
                self._pauses[sock] = loop.call_later(PAUSE, loop.add_reader, sock, self._accept_some, sock, accepted)
                return
            connection.setblocking(False)
            accepted(connection, address)

    async def _open(
        self, connection: socket.socket, peer: str | None, protocol: Front, context: ssl.SSLContext | None
    ) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=context,
                ssl_handshake_timeout=self._seconds if context is not None else None,
                ssl_shutdown_timeout=self._goodbye if context is not None else None,
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

    def _say(self, peer: str | None, error: ssl.SSLCertVerificationError) -> None:
        """Somebody will ask why: a phone that shows a certificate of an unknown authority gets no answer at all."""
        now = asyncio.get_running_loop().time()
        level = logging.WARNING if now - self._said_at >= SAY_EVERY else logging.DEBUG
        if level == logging.WARNING:
            self._said_at = now
        logger.log(level, "a client's certificate is not accepted source=%s: %s", peer, error.verify_message)
