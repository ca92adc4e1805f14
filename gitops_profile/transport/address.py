"""What to listen on, and which address of ours a peer sees."""

import errno
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
SECURE = frozenset({"tls", "wss"})
"""Transports that need a certificate."""
_ONE_PORT = frozenset({"udp", "tcp"})
"""Transports that are to have the same port (RFC 3261 §18.2.1)."""
_LINK_LOCAL = ("fe8", "fe9", "fea", "feb")
"""How the addresses of fe80::/10 begin."""
CHOICES = 20
"""How often the kernel is asked for a port that is free for all transports."""


class ListenError(Exception):
    """A listener could not be bound; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """One listener, written `udp:127.0.0.1:5060` or `tls:[::1]:5061`."""

    transport: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "ListenAddress":
        """Raises ListenError."""
        transport, _, rest = text.partition(":")
        host, _, port = rest.rpartition(":")
        host = host.strip("[]")
        try:
            ipaddress.ip_address(host)
            number = int(port)
        except ValueError:
            raise ListenError(f"listen {text!r}: write it as udp:ADDRESS:PORT, such as udp:127.0.0.1:5060") from None
        if transport not in TRANSPORTS or not 0 <= number <= 65535:
            raise ListenError(f"listen {text!r}: the transport is {', '.join(TRANSPORTS)}, the port 0 to 65535")
        return cls(transport, host, number)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}:{host}:{self.port}"

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    def bind(self, port: int | None = None) -> socket.socket:
        """A bound, non-blocking socket; raises ListenError."""
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        sock = socket.socket(self.family, kind)
        try:
            if self.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                # Accepted connections inherit it. Without it a NOTIFY waits 40 ms for the peer to acknowledge the 200
                # before it (asyncio sets it only on sockets that were made with IPPROTO_TCP).
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.bind((self.host, self.port if port is None else port))
        except OSError as error:
            sock.close()
            hint = "it is in use by another program; stop that one or choose another --listen"
            what = hint if error.errno == errno.EADDRINUSE else error.strerror
            raise ListenError(f"cannot listen on {self}: {what}") from error
        sock.setblocking(False)
        return sock


def bind_all(addresses: Iterable[ListenAddress]) -> list[tuple[ListenAddress, socket.socket]]:
    """A socket for each address, or none at all; raises ListenError.

    Port 0 is chosen by the kernel, the same for UDP and TCP on one host (RFC 3261 §18.2.1): what it gives to the one
    may be taken for the other, and then it is asked again. The addresses that come back have the ports that were bound.
    """
    wanted = list(addresses)
    tries = CHOICES if any(address.port == 0 for address in wanted) else 1
    for left in reversed(range(tries)):
        try:
            return _bind_once(wanted)
        except ListenError:
            if not left:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def _bind_once(addresses: list[ListenAddress]) -> list[tuple[ListenAddress, socket.socket]]:
    bound: list[tuple[ListenAddress, socket.socket]] = []
    chosen: dict[str, int] = {}
    try:
        for address in addresses:
            together = address.port == 0 and address.transport in _ONE_PORT
            sock = address.bind(chosen.get(address.host) if together else None)
            port = sock.getsockname()[1]
            if together:
                chosen[address.host] = port
            bound.append((ListenAddress(address.transport, address.host, port), sock))
    except ListenError:
        for _, sock in bound:
            sock.close()
        raise
    return bound


def peer_of(source: tuple[Any, ...]) -> tuple[str, int]:
    """Whom a socket means by `source`, which has an interface's number when the address is one of its link only.

    Each link has its own fe80::/10: without the number nothing can be sent there (RFC 4007 §6).
    """
    if len(source) > 3 and source[3] and source[0][:3] in _LINK_LOCAL:
        return f"{source[0]}%{source[3]}", source[1]
    return cast(tuple[str, int], source[:2])  # of IPv4 this is the same object


def destination_of(peer: tuple[str, int]) -> tuple[Any, ...]:
    """What a socket is to be given to send to `peer`: Python reads no interface out of the text of an address."""
    host, percent, number = peer[0].partition("%")
    return (host, peer[1], 0, int(number)) if percent else peer


class LocalAddress:
    """The address of ours that a peer reaches us at, for a socket that is bound to all of them."""

    def __init__(self, sock: socket.socket) -> None:
        host, self._port = sock.getsockname()[:2]
        self._fixed = None if ipaddress.ip_address(host).is_unspecified else host
        self._family = sock.family
        self._known: dict[str, str] = {}

    def towards(self, remote: str) -> tuple[str, int]:
        """Our address on the route to `remote`."""
        if self._fixed is not None:
            return self._fixed, self._port
        if remote not in self._known:
            if len(self._known) > 10_000:
                self._known.clear()
            with socket.socket(self._family, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect(
                        destination_of((remote, 9))
                    )  # sends nothing; the kernel only chooses the source address
                    self._known[remote] = probe.getsockname()[0]
                except OSError:
                    return "127.0.0.1" if self._family == socket.AF_INET else "::1", self._port
        return self._known[remote], self._port
