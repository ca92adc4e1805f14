"""A flow: the path to one peer (RFC 5626 §3), and the address of every message."""

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Network

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """Where a message came from and must go."""

    transport: str
    """"udp", "tcp", "tls", "ws" or "wss"."""
    local: Endpoint
    """The address of ours that the peer used; it is what Contact and Via say."""
    remote: Endpoint
    """Of a link-local IPv6 address with the number of the interface, `fe80::1%2`: there is one on each link."""
    connection: int = 0
    """Number of the stream connection, 0 for datagrams and for a stream that is yet to be opened."""
    peer: tuple[str, ...] = field(default=(), compare=False)
    """The names in the peer's verified certificate (RFC 5922 §7.1). No part of what makes two flows the same: flows are
    keys where every message is handled."""
    reliable: bool = field(init=False, compare=False, repr=False)
    """Whether the transport repeats lost bytes by itself (RFC 3261 §17.1)."""
    secure: bool = field(init=False, compare=False, repr=False)
    """Whether it runs inside TLS."""
    source: str = field(init=False, compare=False, repr=False)
    """Whom its peer counts for: see `source_of`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reliable", self.transport != "udp")
        object.__setattr__(self, "secure", self.transport in ("tls", "wss"))
        object.__setattr__(self, "source", source_of(self.remote[0]))

    @property
    def is_loopback(self) -> bool:
        """Whether the peer reached us by an address that only this machine has."""
        return self.local[0].startswith("127.") or self.local[0] == "::1"

    def __str__(self) -> str:
        return _flow_text(self.transport, self.local, self.remote)

    @classmethod
    def parse(cls, text: str) -> "Flow":
        """The inverse of `str`; a connection does not outlive the process. Raises ValueError."""
        transport, local, remote = text.split("|")
        return cls(transport, _own_endpoint(local), _endpoint(remote))


@lru_cache(maxsize=1 << 15)
def source_of(address: str) -> str:
    """What is counted as one source: an IPv4 address, or the /64 of an IPv6 one, which every customer has whole."""
    if ":" not in address:
        return address
    try:
        return str(IPv6Network((address.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return address


@lru_cache(maxsize=1 << 15)
def _flow_text(transport: str, local: Endpoint, remote: Endpoint) -> str:
    return f"{transport}|{host_port(local)}|{host_port(remote)}"


@lru_cache(maxsize=1 << 15)
def host_port(endpoint: Endpoint) -> str:
    """`host:port`, IPv6 in brackets."""
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@lru_cache(maxsize=64)
def _own_endpoint(text: str) -> Endpoint:
    """One of ours, of which there are few: the same object for all that came by it."""
    return _endpoint(text)


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
