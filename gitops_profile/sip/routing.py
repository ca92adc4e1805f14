"""Where a NOTIFY may go, best first: flows, RFC 3263, and never to a stranger (RFC 5626, RFC 6665 §6.3)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from .flow import Flow
from .subscription import Subscription
from .syntax import URI, SIPSyntaxError

DEFAULT_PORT = {"tls": 5061}


@dataclass(frozen=True, slots=True)
class Hop:
    """A next hop that must be looked up first (RFC 3263 §4)."""

    scheme: str
    host: str
    port: int | None
    transport: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """One answer to a look-up."""

    transport: str
    """"udp", "tcp" or "tls"."""
    address: str
    """An IP address."""
    port: int


Lookup = Callable[[Hop], list[Target] | None]
"""What is known about a hop; None while nobody knows."""


def flows_to(subscription: Subscription, lookup: Lookup) -> list[Flow] | None:
    """The flows to try for a NOTIFY, in order; None while a name has to be looked up.

    Back along the SUBSCRIBE's own path, unless the dialog's next hop may be followed: it names the host the SUBSCRIBE
    came from, or the subscriber has shown who he is (`follows`). A Contact that names somebody else must not make us a
    reflector, and behind a NAT, or with `ob`, only the path of the SUBSCRIBE works.
    """
    flow = subscription.flow
    found = _next(subscription, flow)
    if isinstance(found, list):
        subscription.goes_back = len(found) == 1 and found[0] is flow
        return found
    targets = lookup(found)
    if targets is None:
        return None
    # On TLS the certificate must be of the name that was asked for, not of the address that it led to (RFC 5922 §4).
    # It has no dot at its end there, which in a URI only says that the name is whole (RFC 3261 §25.1, RFC 6125 §6.4.1).
    names = (found.host.lower().rstrip("."),)
    flows = [replace(_flow(t.transport, flow, (t.address, t.port)), peer=names) for t in targets]
    # A NOTIFY follows every 2xx (RFC 6665 §4.2.1.2): for a name that leads nowhere there still is the SUBSCRIBE's path.
    return _secured(flows or [flow], subscription)


def leads_back(hop: URI, flow: Flow, *, follows: bool) -> bool:
    """Whether it is seen at a glance that `flows_to` can be nothing but `flow`, for a dialog without routes over UDP.

    Without it a SUBSCRIBE and its NOTIFY take 83 µs of CPU in place of 68 (tests/bench/bench_core.py).
    """
    if flow.transport != "udp" or hop.scheme != "sip":
        return False
    if is_same_host(hop.host, flow.remote[0]):
        return not hop.parameters and (hop.port or 5060) == flow.remote[1]
    return not follows


def _next(subscription: Subscription, flow: Flow) -> list[Flow] | Hop:
    """The flows, or the name that has to be looked up for them."""
    try:
        hop = subscription.dialog.next_hop()
    except SIPSyntaxError:
        return _secured([flow], subscription)
    if "ob" in hop.parameters or flow.transport in ("ws", "wss"):  # a browser has no other way in (RFC 7118 §5)
        return _secured([flow], subscription)
    host = (hop.parameters.get("maddr") if subscription.follows else None) or hop.host
    if is_same_host(host, flow.remote[0]):
        return _secured(_direct(hop, flow.remote[0], flow, here=True), subscription)
    if not subscription.follows:
        return _secured([flow], subscription)
    address = _numeric(host)
    if address is None:
        return Hop(hop.scheme, host, hop.port, _transport_of(hop))
    if _is_nobodys(address, flow):
        return _secured([flow], subscription)
    return _secured(_direct(hop, str(address), flow, here=False), subscription)


def _direct(hop: URI, host: str, flow: Flow, *, here: bool) -> list[Flow]:
    """The flows to a numeric address (RFC 3263 §4.1: no look-ups)."""
    named = _transport_of(hop)
    if named is None and here:
        named = flow.transport  # the open connection, or the path that the SUBSCRIBE has shown to work
    transport = named or "udp"
    port = hop.port or DEFAULT_PORT.get(transport, 5060)
    first = _flow(transport, flow, (host, port))
    if not here or first.transport == flow.transport:
        return [first]
    return [first, flow]  # what the Contact asks for, and if that fails the path that has worked


def _transport_of(hop: URI) -> str | None:
    """The transport that a URI names; None when it leaves the choice, or names one we have not got."""
    named = (hop.parameters.get("transport") or "").lower()
    if hop.scheme == "sips":
        return "tls"
    return named if named in ("udp", "tcp", "tls") else None


def _flow(transport: str, flow: Flow, remote: tuple[str, int]) -> Flow:
    """A flow to `remote`; an open connection is used as long as it is there, the address is for when it is gone."""
    same = transport == flow.transport and remote[0] == flow.remote[0]
    if same and remote == flow.remote:
        return flow
    return replace(flow, transport=transport, remote=remote, connection=flow.connection if same else 0)


def over_tcp(flow: Flow) -> Flow:
    """The same peer by TCP (RFC 3261 §18.1.1)."""
    return replace(flow, transport="tcp", connection=0)


def _secured(flows: list[Flow], subscription: Subscription) -> list[Flow]:
    """What came protected is answered protected, for what it says may be sensitive (RFC 6080 §5.2, §6.7).

    A SIPS dialog stays on TLS, whatever that costs (RFC 3261 §12.1.1, §26.2.2); any other has the way it came.
    """
    if not subscription.dialog.secure and not subscription.flow.secure:
        return flows
    secure = [flow for flow in flows if flow.secure]
    return secure if secure or subscription.dialog.secure else [subscription.flow]


def _is_nobodys(address: IPv4Address | IPv6Address, flow: Flow) -> bool:
    """Whether it is this machine, everybody or nobody: somebody authenticated is no reason to go there.

    A link-local IPv6 address is somebody else on each link, and only the sender knows which one he means.
    """
    if address.is_multicast or address.is_unspecified or (address.version == 6 and address.is_link_local):
        return True
    return address.is_loopback and not flow.is_loopback


def is_same_host(host: str, address: str) -> bool:
    """Whether a host, as it stands in a URI or a Via, is this IP address; IPv6 has many spellings (RFC 5952)."""
    if host.strip("[]") == address:
        return True
    return ":" in host and (numeric := _numeric(host)) is not None and numeric == _numeric(address)


def _numeric(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is, without its zone; an IPv4-mapped one is the IPv4 address in it (RFC 5118 §4.9)."""
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
