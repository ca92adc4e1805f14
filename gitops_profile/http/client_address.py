"""Who sent a request, when a reverse proxy of ours may stand between."""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from .plain_get import Asking

Proxies = Collection[IPv4Network | IPv6Network]
"""The networks of reverse proxies whose X-Forwarded-… is believed."""
_MAPPED = "::ffff:"
"""How an IPv4 address begins that is written as an IPv6 one (RFC 4291 §2.5.5.2)."""
_IN_BRACKETS_OR_WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


def is_proxy(peer: str, proxies: Proxies) -> bool:
    """Whether `peer` is an address in one of the networks."""
    if not proxies:
        return False
    address = _read(peer)
    return address is not None and any(address in network for network in proxies)


def forwarded_https(request: Asking, proxies: Proxies) -> bool | None:
    """Whether the client used https, as a proxy of ours says (X-Forwarded-Proto); None when none says anything."""
    said = request.headers.getall("X-Forwarded-Proto", ())
    if not said or not is_proxy(request.remote or "", proxies):
        return None
    return all(hop.strip().lower() == "https" for value in said for hop in value.split(","))


def client_address(request: Asking, proxies: Proxies) -> str:
    """What the nearest trusted proxy says the client's address is, else the peer's (X-Forwarded-For).

    An IPv4 address is one however it is written; "unknown" is who has none, on a Unix socket.
    """
    source = request.remote or "unknown"
    if source.startswith(_MAPPED):
        source = str(_read(source) or source)
    if not proxies:
        return source
    hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
    for hop in reversed(hops):
        if not is_proxy(source, proxies):
            break
        found = _IN_BRACKETS_OR_WITH_PORT.fullmatch(hop.strip())
        address = _read(hop.strip() if found is None else found[1] or found[2])
        if address is None:
            break
        source = str(address)
    return source


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """The address, of IPv4 when it is one of those in IPv6's form; None when it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def counted_address(address: str) -> str:
    """What is counted as one client: an IPv4 address, or the /64 of an IPv6 one, which every customer has whole.

    The same name as SIP has for it (sip/flow.py), so that guesses count together.
    """
    if ":" not in address:
        return address
    found = _read(address.partition("%")[0])
    if found is None:
        return address
    return str(IPv6Network((int(found), 64), strict=False).network_address) if found.version == 6 else str(found)
