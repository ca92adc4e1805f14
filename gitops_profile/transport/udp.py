"""One UDP socket, drained in bursts so that one turn of the loop shares one commit (measured.md: `add_reader`)."""

import asyncio
import errno
import ipaddress
import logging
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from gitops_profile.sip import Flow

from .address import LocalAddress, destination_of, peer_of

logger = logging.getLogger(__name__)

BURST = 64
"""Datagrams read in one turn: enough to share a commit, few enough to keep the loop's other work going."""
BURST_BYTES = 128 << 10
"""As many are read in one turn: 64 SUBSCRIBEs are 45 kB, and 64 of the largest datagrams kept others waiting 50 ms."""
RECEIVE_BUFFER = 8 << 20
"""Bytes that the kernel may hold while the loop is busy."""
MAX_QUEUED = 20_000
"""Datagrams that wait for a full socket; more are dropped, which is what UDP retransmission is for."""


MAX_FLOWS = 100_000
"""Peers that are remembered; of more, all are found out anew."""
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR and IPV6_RECVERR of Linux's headers, which the socket module does not name."""
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
"""`struct sock_extended_err`: errno, origin, type, code, padding, info, data."""
_PACKET_INFO = {socket.AF_INET: (socket.IPPROTO_IP, 8), socket.AF_INET6: (socket.IPPROTO_IPV6, 50)}
"""IP_PKTINFO and IPV6_PKTINFO: the address of ours that a datagram came to, or is to come from."""
_IP_MULTICAST_ALL = getattr(socket, "IP_MULTICAST_ALL", 49)
_IPV6_RECVPKTINFO = 49
_Peer = tuple[str, int]
_Source = tuple[Any, ...]
"""As a socket says it: of IPv6 there is more."""
_ICMP, _ICMP6 = 2, 3
_UNREACHABLE = {(_ICMP, 3), (_ICMP, 12), (_ICMP6, 1), (_ICMP6, 4)}
"""Origin and type of what RFC 3261 §18.4 counts as a failure: destination unreachable and parameter problem."""
_FRAGMENTATION_NEEDED = (_ICMP, 3, 4)
"""Which is for the kernel: it sends smaller pieces the next time."""


def enlarge(sock: socket.socket) -> None:
    """Room for a burst: what does not fit is lost before anybody has read it."""
    for option in (getattr(socket, "SO_RCVBUFFORCE", socket.SO_RCVBUF), socket.SO_RCVBUF):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
            break
        except PermissionError:
            continue  # only root may exceed the system's limit; the plain option is capped to it


class UDPTransport:
    """A bound UDP socket."""

    def __init__(
        self,
        sock: socket.socket,
        on_message: Callable[[bytes, Flow], None],
        on_burst: Callable[[], None],
        on_failed: Callable[[bytes, Flow], None],
    ) -> None:
        """`on_failed` is told what could not be sent or delivered (RFC 3261 §18.4), never while `send` runs.

        What came back with an ICMP message may have lost its end.
        """
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._on_message = on_message
        self._on_burst = on_burst
        self._on_failed = on_failed
        self._local = LocalAddress(self._socket)
        self._queue: deque[tuple[bytes, _Peer, str | None]] = deque()
        self._flows: dict[tuple[_Source, _Peer | None], Flow] = {}
        """Of those who have sent, for a phone comes again: 0.2 µs instead of 1.5."""
        self._is_wild = ipaddress.ip_address(self.bound[0]).is_unspecified and sys.platform == "linux"
        enlarge(self._socket)
        if sys.platform == "linux":
            self._socket.setsockopt(*_RECVERR[self._socket.family], 1)
        if self._is_wild:
            level, option = _PACKET_INFO[self._socket.family]
            self._socket.setsockopt(level, option if level == socket.IPPROTO_IP else _IPV6_RECVPKTINFO, 1)
            if level == socket.IPPROTO_IP:
                # Else it hears every group that anybody on this machine has joined, plug and play's too.
                self._socket.setsockopt(level, _IP_MULTICAST_ALL, 0)
        self._loop.add_reader(self._socket, self._readable)

    @property
    def sock(self) -> socket.socket:
        """The bound socket."""
        return self._socket

    @property
    def bound(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one datagram, or queue it while the socket is full.

        From the address that the peer sent to (RFC 3581 §4): it, and each NAT on the way, waits for nobody else's.
        """
        if not self._queue and not self._is_wild and "%" not in flow.remote[0]:
            try:
                self._socket.sendto(data, flow.remote)
            except OSError:
                pass  # it may be about another one: asked for below
            else:
                return
        source = flow.local[0] if self._is_wild else None
        if self._queue or not self._sent(data, flow.remote, source):
            self._enqueue(data, flow.remote, source)

    def close(self) -> None:
        """Stop reading and close the socket."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        receive, on_message, flows = self._receive, self._on_message, self._flows
        if not self._is_wild:
            receive = self._receive_plain
        left = BURST_BYTES
        for number in range(BURST):
            try:
                data, source, local = receive()
            except (BlockingIOError, InterruptedError):
                if not number:
                    self._read_errors()  # for that, too, the loop says that there is something to read
                break
            except OSError:
                self._read_errors()
                break
            flow = flows.get((source, local)) or self._flow(source, local)
            if flow.remote[1]:  # a forged source port 0 cannot be answered
                on_message(data, flow)
            left -= len(data)
            if left < 0:
                break
        self._on_burst()

    def _flow(self, source: _Source, local: _Peer | None) -> Flow:
        if len(self._flows) >= MAX_FLOWS:
            self._flows.clear()
        remote = peer_of(source)
        flow = self._flows[source, local] = Flow("udp", local or self._local.towards(remote[0]), remote)
        return flow

    def _receive_plain(self) -> tuple[bytes, _Source, None]:
        """A datagram that came to the one address there is."""
        data, source = self._socket.recvfrom(65535)
        return data, source, None

    def _receive(self) -> tuple[bytes, _Source, _Peer | None]:
        """A datagram, where it is from, and the address of ours that it came to, which the kernel is asked for."""
        data, controls, _, source = self._socket.recvmsg(65535, 128)
        for level, option, content in controls:
            if (level, option) == _PACKET_INFO[self._socket.family]:
                # struct in_pktinfo: index, local address, destination; struct in6_pktinfo: destination, index.
                local = _address(content[4:8] if level == socket.IPPROTO_IP else content[:16])
                return data, source, (local, self.bound[1]) if local is not None else None
        return data, source, None

    def _send_from(self, data: bytes, remote: _Source, source: str) -> None:
        packed = _packed(source)
        level, option = _PACKET_INFO[self._socket.family]
        info = struct.pack("=i4s4s", 0, packed, b"") if level == socket.IPPROTO_IP else struct.pack("=16si", packed, 0)
        try:
            self._socket.sendmsg([data], [(level, option, info)], 0, remote)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EINVAL, errno.ENODEV, errno.ENETUNREACH):
                raise
            self._socket.sendto(data, remote)  # this machine has lost that address

    def _sent(self, data: bytes, remote: _Peer, source: str | None) -> bool:
        """Whether it needs no further try; False while the socket is full."""
        to: _Source = destination_of(remote) if "%" in remote[0] else remote
        for left in (True, False):
            try:
                if source is None:
                    self._socket.sendto(data, to)
                else:
                    self._send_from(data, to, source)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                # It may be about a datagram that was sent before, and then this one has not been looked at yet.
                if left and self._read_errors():
                    continue
                logger.debug("udp send to %s failed: %s", remote[0], error)
                self._loop.call_soon(self._failed, data, remote)
            break
        return True

    def _read_errors(self) -> int:
        """Take what ICMP said about earlier datagrams; how many there were."""
        if sys.platform != "linux":
            return 0
        for number in range(BURST):
            try:
                data, controls, _, remote = self._socket.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return number
            for _, _, content in controls:
                if len(content) < _EXTENDED_ERROR.size:
                    continue
                _, origin, kind, code, _, _, _ = _EXTENDED_ERROR.unpack_from(content)
                if (origin, kind) in _UNREACHABLE and (origin, kind, code) != _FRAGMENTATION_NEEDED:
                    self._loop.call_soon(self._failed, data, peer_of(remote))
        return BURST

    def _failed(self, data: bytes, remote: tuple[str, int]) -> None:
        self._on_failed(data, Flow("udp", self._local.towards(remote[0]), remote))
        self._on_burst()

    def _enqueue(self, data: bytes, remote: _Peer, source: str | None) -> None:
        if len(self._queue) >= MAX_QUEUED:
            return
        if not self._queue:
            self._loop.add_writer(self._socket, self._writable)
        self._queue.append((data, remote, source))

    def _writable(self) -> None:
        while self._queue:
            if not self._sent(*self._queue[0]):
                return
            self._queue.popleft()
        self._loop.remove_writer(self._socket)


@lru_cache(maxsize=1024)
def _address(packed: bytes) -> str | None:
    """As text; None for what cannot be a sender: a multicast group."""
    address = ipaddress.ip_address(packed)
    return None if address.is_multicast or address.is_unspecified else str(address)


@lru_cache(maxsize=1024)
def _packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed
