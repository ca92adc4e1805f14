"""Who sent a request, when a reverse proxy of ours may stand between."""

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from .plain_get import Asking

Proxies = Collection[IPv4Network | IPv6Network]
"""The networks of reverse proxies whose X-Forwarded-… is believed."""


def is_proxy(peer: str, proxies: Proxies) -> bool:
    """Whether `peer` is an address in one of the networks."""
    if not proxies:
        return False
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in proxies)


def forwarded_https(request: Asking, proxies: Proxies) -> bool | None:
    """Whether the client used https, as a proxy of ours says (X-Forwarded-Proto); None when none says anything."""
    said = request.headers.getall("X-Forwarded-Proto", ())
    if not said or not is_proxy(request.remote or "", proxies):
        return None
    return all(hop.strip().lower() == "https" for value in said for hop in value.split(","))


def client_address(request: Asking, proxies: Proxies) -> str:
    """What the nearest trusted proxy says the client's address is, else the peer's (X-Forwarded-For)."""
    source = request.remote or "unknown"
    hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
    for hop in reversed(hops):
        if not is_proxy(source, proxies):
            break
        try:
            source = str(ip_address(hop.strip()))
        except ValueError:
            break
    return source


def counted_address(address: str) -> str:
    """What is counted as one client: an IPv4 address, or the /64 of an IPv6 one, which every customer has whole.

    The same name as SIP has for it (sip/flow.py), so that guesses count together.
    """
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), 64), strict=False).network_address)
