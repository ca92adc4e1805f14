"""Bounds of connections, one book for TCP, TLS and WebSocket together (invariant I9)."""

import asyncio
import ipaddress
import logging
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Protocol

from gitops_profile.sip import source_of

logger = logging.getLogger(__name__)

QUIET = 60.0
"""Seconds between two WARNINGs about refused connections: a flood of peers must not become a flood of lines."""


RESERVED_FILES = 256
"""Open files that are never a connection's: the log, the database, git, the listeners."""


def possible_connections(wanted: int) -> int:
    """How many connections the process may hold, at most `wanted`; raises its own limit of open files to the system's.

    Peers must not be able to take the file descriptors that the log and the database need.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = wanted + RESERVED_FILES
    allowed = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    possible = wanted if soft == resource.RLIM_INFINITY else min(wanted, max(1, soft - RESERVED_FILES))
    if possible < wanted:
        logger.warning(
            "the limit of open files allows %d connections instead of %d: raise it, such as with LimitNOFILE=%d",
            possible, wanted, enough,
        )  # fmt: skip
    return possible


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of connections; times in seconds."""

    connections: int = 10_000
    per_source: int = 200
    trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    """Networks of edge proxies: whoever is behind them is not counted as one source."""
    message_bytes: int = 4 << 20
    unread_bytes: int = 8 << 20
    """What a peer may leave unread before it is cut off."""
    unread_together: int = 64 << 20
    """What all peers may; beyond it, whoever leaves most is cut off."""
    idle: float = 3600.0
    """Longer than any keep-alive interval (RFC 5626 §4.4.1), and than 64 × T1 (RFC 3261 §18)."""
    partial: float = 20.0
    """How long a message may take to arrive."""
    handshake: float = 10.0
    """How long TLS may take, and after it the WebSocket handshake."""
    connect: float = 5.0
    linger: float = 2.0
    """For the last answers, after the peer closed its side or the stream lost its frame; and for TLS's own goodbye."""
    ping: float = 120.0
    """Between Pings to a WebSocket peer, which has half of it for the Pong (RFC 6455 §5.5.2)."""
    dials: int = 200
    """Connections that are being opened at the same time; more of them wait their turn."""
    destinations: int = 5000
    """Peers to whom a connection is being opened or waits to be. NOTIFYs to more of them fail, and are tried again."""
    waiting: int = 1000
    """Messages that wait for one connection, of a proxy perhaps. More of them fail, and are tried again."""


class Reason(StrEnum):
    """Why a connection was refused or cut off, in a word that is fit for the label of a counter."""

    TOO_MANY = "connections"
    TOO_MANY_OF_SOURCE = "connections_of_source"
    HANDSHAKE = "handshake"
    """TLS or WebSocket: wrong, or not done in time."""
    SLOW = "slow"
    """A message took too long to arrive."""
    UNREAD = "unread"
    """The peer does not read what it is sent."""
    UNFRAMED = "unframed"
    """No message can be cut out of what comes."""
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class TransportRefused:
    """A connection was refused, or cut off at a bound."""

    source: str
    """The peer's address."""
    reason: Reason


MUCH_UNREAD = 256 << 10
"""Bytes below which nobody is asked how much he has left unread: a few NOTIFYs of a large document."""


class Unread(Protocol):
    """A connection whose peer may not be reading."""

    number: int

    def unread(self) -> int:
        """Bytes that wait for the peer."""

    def cut(self, reason: Reason) -> None:
        """End it at once."""


class Admission:
    """Who has a connection. A number is given to each, over all transports, and taken back once."""

    def __init__(self, limits: StreamLimits, on_refused: Callable[[TransportRefused], None], first: int = 1) -> None:
        self.limits = limits
        self._on_refused = on_refused
        self._sources: dict[int, str] = {}
        self._per_source: Counter[str] = Counter()
        self._numbers = count(first)
        self._unread: dict[int, Unread] = {}
        """Connections that had much unread when they were last looked at."""
        self._warn_at = 0.0

    def __len__(self) -> int:
        return len(self._sources)

    def admit(self, host: str) -> int | None:
        """The number of one more connection with `host`; None when a bound is reached."""
        if len(self._sources) >= self.limits.connections:
            self.refuse(host, Reason.TOO_MANY)
            return None
        source = source_of(host)
        if self._per_source[source] >= self.limits.per_source and not self._is_trusted(host):
            self.refuse(host, Reason.TOO_MANY_OF_SOURCE)
            return None
        number = next(self._numbers)
        self._sources[number] = source
        self._per_source[source] += 1
        return number

    def _is_trusted(self, host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        return any(address in network for network in self.limits.trusted)

    def release(self, number: int) -> None:
        """The connection is gone; a second time does nothing."""
        source = self._sources.pop(number, None)
        if source is None:
            return
        self._unread.pop(number, None)
        self._per_source[source] -= 1
        if not self._per_source[source]:
            del self._per_source[source]

    def bound_unread(self, connection: Unread) -> None:
        """Look at what `connection` has unread, before more is written to it; cuts it or another at a bound."""
        size = connection.unread()
        if size <= MUCH_UNREAD:
            return
        if size > self.limits.unread_bytes:
            connection.cut(Reason.UNREAD)
            return
        self._unread[connection.number] = connection
        sizes = {number: other.unread() for number, other in self._unread.items()}
        for number in [number for number, left in sizes.items() if left <= MUCH_UNREAD]:
            del self._unread[number]
        if sum(sizes.values()) > self.limits.unread_together:
            self._unread[max(sizes, key=lambda number: sizes[number])].cut(Reason.UNREAD)

    def refuse(self, source: str, reason: Reason) -> None:
        """Tell whoever counts, and at most once a minute the log."""
        self._on_refused(TransportRefused(source, reason))
        now = asyncio.get_running_loop().time()
        level = logging.DEBUG
        if now >= self._warn_at:
            self._warn_at, level = now + QUIET, logging.WARNING
        logger.log(level, "connection refused source=%s reason=%s", source, reason)
