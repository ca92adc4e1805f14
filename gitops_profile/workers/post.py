"""What workers hand to each other: messages of the others' dialogs, and what is to leave on the others' connections.

Each worker has one mailbox, a socket pair that the main process made and keeps: what was put in while a worker was
down is read by the one that takes its place. Bounds: `MAX_WAITING` for each of the others; what comes then is dropped,
with a WARNING once, as a full socket buffer would (invariant I9).
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Mapping
from typing import Protocol

from gitops_profile.sip import Flow

from .frames import Frame, Kind, PacketReader, flow_of, frame_of, packets
from .owner import Owners

logger = logging.getLogger(__name__)

MAX_WAITING = 16 << 20
"""Bytes that wait for one of the others."""
MAILBOX = 4 << 20
"""Bytes that the kernel may hold."""
AT_ONCE = 2
"""Packets read in one turn of the loop: some sixty messages, as many as of a socket (invariant I8)."""
CONNECTIONS = 1 << 48
"""Numbers of connections that each worker has: worker 2's begin at twice that."""
LIFE = 1 << 32
"""And of these, each of its lives: what is for a connection of an earlier one must not leave on another peer's."""


def first_connection(worker: int, life: int) -> int:
    """The number of the first connection of a worker in its nth life, from 0."""
    return worker * CONNECTIONS + life % (CONNECTIONS // LIFE) * LIFE + 1


def mailbox() -> tuple[socket.socket, socket.socket]:
    """A new one: the end that is read, and the one that all others write to."""
    reads, writes = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for sock in (reads, writes):
        sock.setblocking(False)
    writes.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAILBOX)
    return reads, writes


class Destination(Protocol):
    """Whoever handles what comes: the endpoint."""

    def handle(self, data: bytes, flow: Flow) -> None:
        """A message of one of our dialogs."""

    def send_here(self, data: bytes, flow: Flow) -> None:
        """Send on a connection of ours, one that is yet to be opened perhaps."""

    def has_connection(self, flow: Flow) -> bool:
        """Whether we have one with this peer."""

    def send_failed(self, data: bytes, flow: Flow) -> None:
        """A request of ours could not be sent."""

    def pump(self) -> None:
        """That was all for now."""


class Post:
    """One worker's mail; it is the endpoint's `Colleagues`. Needs a running loop."""

    def __init__(
        self, owners: Owners, inbox: socket.socket, mailboxes: Mapping[int, socket.socket], destination: Destination
    ) -> None:
        """`mailboxes` are where the other workers are written to, by their number."""
        self._owners = owners
        self._inbox = inbox
        self._destination = destination
        self._reader = PacketReader()
        self._outboxes = {number: _Outbox(number, owners.me, sock) for number, sock in mailboxes.items()}
        self._loop = asyncio.get_running_loop()
        self._leaving = False
        self._next = (owners.me + 1) % (len(mailboxes) + 1)

    def start(self) -> None:
        """Read what comes from now on."""
        self._loop.add_reader(self._inbox, self._readable)

    def close(self) -> None:
        """Hand nothing over any more. The mailboxes stay open: they are not ours."""
        self._loop.remove_reader(self._inbox)
        for outbox in self._outboxes.values():
            outbox.close()

    # -- what the endpoint asks ------------------------------------------------------------------------------------

    def take_message(self, data: bytes, flow: Flow) -> bool:
        """Hand a message from a socket to its owner; False when that is this worker."""
        owner = self._owners.of_message(data, flow)
        return self._hand(owner, Kind.MESSAGE, data, flow)

    def take_to_send(self, data: bytes, flow: Flow) -> bool:
        """Hand what is to be sent to whoever has the connection; False when that is this worker.

        A worker that was started anew does not know over whose connection its phones came.
        """
        if flow.connection:
            return self._hand(flow.connection // CONNECTIONS, Kind.SEND, data, flow)
        if not data.startswith(b"NOTIFY ") or flow.transport not in ("tcp", "tls"):
            return False
        return not self._destination.has_connection(flow) and self._hand(self._next, Kind.OFFER, data, flow)

    def take_failure(self, data: bytes, flow: Flow) -> bool:
        """Tell whoever made a request that it could not be sent; False when that was this worker."""
        # A response is the peer's to ask for again (RFC 3261 §18.4).
        return data.startswith(b"NOTIFY ") and self._hand(self._owners.of_own_request(data), Kind.FAILED, data, flow)

    def _hand(self, owner: int, kind: Kind, data: bytes, flow: Flow) -> bool:
        outbox = self._outboxes.get(owner)
        if outbox is None:
            return False
        if outbox.is_full():
            if kind in (Kind.SEND, Kind.OFFER):
                self._loop.call_soon(self._not_sent, data, flow)  # the caller is still sending
            return True
        outbox.add(frame_of(kind, data, flow))
        if not self._leaving:
            self._leaving = True
            self._loop.call_soon(self._flush)  # what one turn hands over is one packet
        return True

    def _offered(self, data: bytes, flow: Flow) -> None:
        is_ours = self._owners.of_own_request(data) == self._owners.me  # it has been at all others
        if is_ours or self._destination.has_connection(flow) or not self._hand(self._next, Kind.OFFER, data, flow):
            self._destination.send_here(data, flow)

    def _not_sent(self, data: bytes, flow: Flow) -> None:
        self._destination.send_failed(data, flow)
        self._destination.pump()

    def _flush(self) -> None:
        self._leaving = False
        for outbox in self._outboxes.values():
            outbox.flush()

    def _readable(self) -> None:
        for _ in range(AT_ONCE):
            try:
                packet = self._inbox.recv(1 << 20)
            except (BlockingIOError, InterruptedError):
                break
            if not packet:  # the main process is gone, and with it whoever could write; this one is about to end
                self._loop.remove_reader(self._inbox)
                break
            for frame in self._reader.read(packet):
                data, flow = frame[6], flow_of(frame)
                match frame[0]:
                    case Kind.MESSAGE:
                        self._destination.handle(data, flow)
                    case Kind.SEND:
                        self._destination.send_here(data, flow)
                    case Kind.FAILED:
                        self._destination.send_failed(data, flow)
                    case Kind.OFFER:
                        self._offered(data, flow)
        self._destination.pump()


class _Outbox:
    """What waits for one of the others."""

    def __init__(self, number: int, origin: int, sock: socket.socket) -> None:
        self._number = number
        self._origin = origin
        self._socket = sock
        self._frames: list[Frame] = []
        self._packets: deque[bytes] = deque()
        self._waiting = 0
        self._warned = False
        self._loop = asyncio.get_running_loop()

    def is_full(self) -> bool:
        """Whether nothing more is taken; says so once."""
        if self._waiting <= MAX_WAITING:
            return False
        if not self._warned:
            self._warned = True
            logger.warning("worker %d does not keep up: messages for it are dropped", self._number)
        return True

    def add(self, frame: Frame) -> None:
        """One more for the next `flush`."""
        self._frames.append(frame)

    def flush(self) -> None:
        """Send what was added, or what of it the mailbox takes."""
        if not self._frames:
            return
        frames, self._frames = self._frames, []
        idle = not self._packets
        for packet in packets(frames, self._origin):
            self._packets.append(packet)
            self._waiting += len(packet)
        if idle and not self._send():
            self._loop.add_writer(self._socket, self._writable)

    def close(self) -> None:
        self._loop.remove_writer(self._socket)

    def _writable(self) -> None:
        if self._send():
            self._loop.remove_writer(self._socket)

    def _send(self) -> bool:
        """Whether nothing is left."""
        while self._packets:
            try:
                self._socket.send(self._packets[0])
            except (BlockingIOError, InterruptedError):
                return False
            self._waiting -= len(self._packets.popleft())
        self._warned = False
        return True
