"""Where a SIP URI is: NAPTR, SRV and addresses, in the order in which they are to be tried (RFC 3263 §4).

What is looked up was said by somebody outside, so everything is bounded: the time, the look-ups at once, the answers
and the memory of them; and an address that only this machine or everybody has is none.
"""

import asyncio
import ipaddress
import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from gitops_profile.sip import Target

from .hosts import HostsFile
from .late_resolver import Unresolvable

TIMEOUT = 3.0
"""Seconds for all look-ups of one URI."""
AT_ONCE = 64
"""Queries that are under way; more wait, within their time."""
MAX_TTL, MIN_TTL, NEGATIVE_TTL = 300.0, 5.0, 30.0
"""Seconds that an answer is believed: at most, at least, and that there is none."""
MAX_CACHED = 10_000
MAX_TARGETS = 16
"""More addresses than anybody tries before Timer F."""

_NAPTR_SERVICES = {"SIPS+D2T": "tls", "SIP+D2T": "tcp", "SIP+D2U": "udp"}
"""RFC 3263 §4.1. SIP+D2W and SIPS+D2W (RFC 7118 §5.5) are for those who connect to WebSocket servers."""
_SRV_PREFIX = {"tls": "_sips._tcp", "tcp": "_sip._tcp", "udp": "_sip._udp"}
"""In the order that is tried without a NAPTR record."""
_DEFAULT_PORT = {"udp": 5060, "tcp": 5060, "tls": 5061}
_Record = NAPTR | SRV | A | AAAA
_NOTHING_THERE = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.NameTooLong, dns.name.LabelTooLong)


@dataclass(frozen=True, slots=True)
class _Cached:
    records: tuple[_Record, ...]
    until: float


class Resolver:
    """Finds the targets of SIP URIs."""

    def __init__(
        self,
        *,
        available: Collection[tuple[str, int]] | None = None,
        allow_loopback: bool = False,
        nameservers: Sequence[str] | None = None,
        port: int = 53,
        hosts: HostsFile | None = None,
        clock: Callable[[], float] = time.monotonic,
        choose: Callable[[], float] = random.random,
    ) -> None:
        """`available` are the transports and IP versions that can be used, such as ("udp", 4); None means all.

        `nameservers` are addresses, by default the system's; `choose` gives numbers from 0 to 1 for SRV weights.
        """
        self._available = available
        self._allow_loopback = allow_loopback
        self._hosts = HostsFile() if hosts is None else hosts
        self._clock = clock
        self._choose = choose
        self._nameservers = nameservers
        self._port = port
        self._dns: dns.asyncresolver.Resolver | None = None
        self._cache: dict[tuple[str, str], _Cached] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[tuple[_Record, ...]]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def resolve(self, scheme: str, host: str, port: int | None, transport: str | None) -> list[Target]:
        """The targets of a URI, the first to be tried first. `maddr` is for the caller to give as `host`.

        `scheme` is "sip" or "sips", `host` a name or an address (IPv6 also in brackets), `transport` the URI's
        parameter. Raises Unresolvable, also for a transport that cannot be used.
        """
        host = host.strip("[]").partition("%")[0].rstrip(".").lower()
        wanted = _asked_for(scheme, transport)
        try:
            async with asyncio.timeout(TIMEOUT):
                found = await self._targets(scheme, host, port, wanted)
        except TimeoutError:
            raise Unresolvable(f"no answer about {host} within {TIMEOUT:g} s") from None
        targets = list(dict.fromkeys(target for target in found if self._usable(target)))
        if not targets:
            raise Unresolvable(f"{host} has no address that can be used")
        return targets[:MAX_TARGETS]

    async def _targets(self, scheme: str, host: str, port: int | None, wanted: str | None) -> list[Target]:
        fallback = wanted or ("tls" if scheme == "sips" else "udp")
        if _is_address(host):
            return [Target(fallback, host, port or _DEFAULT_PORT[fallback])]
        if port is not None:
            return await self._addresses(fallback, host, port)
        if wanted is not None:
            services = [(wanted, f"{_SRV_PREFIX[wanted]}.{host}")]
        else:
            services = await self._services(scheme, host)
        targets: list[Target] = []
        for transport, name in services:
            for record in self._in_order(await self._query(name, "SRV")):
                targets += await self._addresses(transport, record.target.to_text(omit_final_dot=True), record.port)
        return targets or await self._addresses(fallback, host, _DEFAULT_PORT[fallback])

    async def _services(self, scheme: str, host: str) -> list[tuple[str, str]]:
        """Transport and SRV name, from NAPTR, or as they are named without it (RFC 3263 §4.1)."""
        records = [record for record in await self._query(host, "NAPTR") if isinstance(record, NAPTR)]
        named = []
        for record in sorted(records, key=lambda record: (record.order, record.preference)):
            transport = _NAPTR_SERVICES.get(record.service.decode("ascii", "replace").upper())
            if transport is None or record.flags.lower() != b"s" or not self._has(transport):
                continue
            if scheme == "sip" or transport == "tls":  # a sips: URI stays inside TLS
                named.append((transport, record.replacement.to_text(omit_final_dot=True)))
        if named:
            return named
        transports = ("tls",) if scheme == "sips" else tuple(_SRV_PREFIX)
        return [(transport, f"{_SRV_PREFIX[transport]}.{host}") for transport in transports if self._has(transport)]

    def _in_order(self, records: Collection[_Record]) -> list[SRV]:
        """By priority, and by weight among the same priority (RFC 2782)."""
        left = sorted((record for record in records if isinstance(record, SRV)), key=lambda record: record.weight > 0)
        ordered: list[SRV] = []
        for priority in sorted({record.priority for record in left}):
            group = [record for record in left if record.priority == priority]
            while group:
                mark = self._choose() * sum(record.weight for record in group)
                reached = 0
                for record in group:
                    reached += record.weight
                    if reached >= mark:
                        break
                group.remove(record)
                ordered.append(record)
        return [record for record in ordered if record.target != dns.name.root]  # "." is: not offered here

    async def _addresses(self, transport: str, name: str, port: int) -> list[Target]:
        if not self._has(transport):
            return []
        if _is_address(name):  # not allowed in SRV, and seen
            return [Target(transport, name, port)]
        known = self._hosts.addresses(name)
        if not known:
            known = [
                record.address
                for kind, version in (("AAAA", 6), ("A", 4))
                if self._has(transport, version)
                for record in await self._query(name, kind)
                if isinstance(record, A | AAAA)
            ]
        return [Target(transport, address, port) for address in known]

    def _has(self, transport: str, version: int | None = None) -> bool:
        if self._available is None:
            return True
        versions = {v for name, v in self._available if name == transport}
        return bool(versions) if version is None else version in versions

    def _usable(self, target: Target) -> bool:
        address = ipaddress.ip_address(target.address)
        if not self._has(target.transport, address.version) or not target.port:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_loopback:
            return self._allow_loopback
        nowhere = address.is_multicast or address.is_unspecified or address.is_reserved
        return not nowhere and not (address.version == 4 and address.packed[0] == 0)

    # -- queries ---------------------------------------------------------------------------------------------------

    async def _query(self, name: str, kind: str) -> tuple[_Record, ...]:
        """The records, from memory or from the name servers; the same question is asked once at a time."""
        key = (name, kind)
        cached = self._cache.get(key)
        if cached is not None and cached.until > self._clock():
            return cached.records
        task = self._asking.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(name, kind))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)  # others may wait for it too

    async def _ask(self, name: str, kind: str) -> tuple[_Record, ...]:
        records: tuple[_Record, ...] = ()
        ttl = NEGATIVE_TTL
        try:
            async with asyncio.timeout(TIMEOUT), self._turns:
                answer = await self._resolver().resolve(name, kind, search=False, lifetime=TIMEOUT)
        except _NOTHING_THERE:
            pass  # which is an answer
        except (dns.exception.DNSException, OSError, TimeoutError):
            ttl = MIN_TTL  # the name servers could not say: soon again
        else:
            if answer.rrset is not None:
                records = tuple(answer.rrset)
                ttl = min(MAX_TTL, max(MIN_TTL, answer.rrset.ttl))
        while len(self._cache) >= MAX_CACHED:
            del self._cache[next(iter(self._cache))]
        self._cache[name, kind] = _Cached(records, self._clock() + ttl)
        return records

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if self._dns is None:
            self._dns = dns.asyncresolver.Resolver(configure=self._nameservers is None)
            if self._nameservers is not None:
                self._dns.nameservers = list(self._nameservers)
                self._dns.port = self._port
        return self._dns


def _asked_for(scheme: str, transport: str | None) -> str | None:
    """The transport that the URI itself names. Raises Unresolvable."""
    if transport is None:
        return None
    name = transport.lower()
    if scheme == "sips" and name == "tcp":
        return "tls"  # RFC 3261 §26.2.2: TCP means TLS over TCP there
    if name not in _SRV_PREFIX or (scheme == "sips" and name != "tls"):
        raise Unresolvable(f"{scheme} with transport={transport} cannot be reached from here")
    return name


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
