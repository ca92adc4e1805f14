"""One UDP socket, drained in bursts so that one turn of the loop shares one commit (measured.md: `add_reader`)."""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable

from gitops_profile.sip import Flow

from .address import LocalAddress

logger = logging.getLogger(__name__)

BURST = 64
"""Datagrams read in one turn: enough to share a commit, few enough to keep the loop's other work going."""
RECEIVE_BUFFER = 8 << 20
"""Bytes that the kernel may hold while the loop is busy."""
MAX_QUEUED = 20_000
"""Datagrams that wait for a full socket; more are dropped, which is what UDP retransmission is for."""


class UDPTransport:
    """A bound UDP socket."""

    def __init__(
        self,
        sock: socket.socket,
        on_message: Callable[[bytes, Flow], None],
        on_burst: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._on_message = on_message
        self._on_burst = on_burst
        self._local = LocalAddress(self._socket)
        self._queue: deque[tuple[bytes, tuple[str, int]]] = deque()
        for option in (getattr(socket, "SO_RCVBUFFORCE", socket.SO_RCVBUF), socket.SO_RCVBUF):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
                break
            except PermissionError:
                continue  # only root may exceed the system's limit; the plain option is capped to it
        self._loop.add_reader(self._socket, self._readable)

    @property
    def bound(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one datagram, or queue it while the socket is full. Raises OSError when it can never be sent."""
        if self._queue:
            self._enqueue(data, flow.remote)
            return
        try:
            self._socket.sendto(data, flow.remote)
        except (BlockingIOError, InterruptedError):
            self._enqueue(data, flow.remote)

    def close(self) -> None:
        """Stop reading and close the socket."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(BURST):
            try:
                data, source = self._socket.recvfrom(65535)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                logger.debug("udp receive failed: %s", error)
                break
            host, port = source[:2]
            if port:  # a forged source port 0 cannot be answered
                self._on_message(data, Flow("udp", self._local.towards(host), (host, port)))
        self._on_burst()

    def _enqueue(self, data: bytes, remote: tuple[str, int]) -> None:
        if len(self._queue) >= MAX_QUEUED:
            return
        if not self._queue:
            self._loop.add_writer(self._socket, self._writable)
        self._queue.append((data, remote))

    def _writable(self) -> None:
        while self._queue:
            data, remote = self._queue[0]
            try:
                self._socket.sendto(data, remote)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                logger.debug("udp send to %s failed: %s", remote[0], error)
            self._queue.popleft()
        self._loop.remove_writer(self._socket)
