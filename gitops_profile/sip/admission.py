"""Who still gets in: every bound on subscriptions, with its answer (invariant I9, RFC 6665 §6.3)."""

import ipaddress
from collections import OrderedDict
from functools import lru_cache

from .flow import Flow
from .refusal import Refused
from .settings import NotifierSettings

MAX_SOURCES = 10_000
"""Addresses whose budget is remembered; whoever has been quiet for longest starts afresh."""
SHARE, SMALL_SHARE = 8, 8
"""One address may have an eighth of all unanswered fetches, and eight in any case."""
BURST = 2.0
"""Seconds' worth of budget that may be used at once."""


class Admission:
    """Counts of subscriptions and fetches by source, and the budget of addresses that nobody has answered from."""

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        # No Counters: their methods are Python's, and take 4,000 instructions of a fetch's 165,000 (the wheel).
        self._per_source: dict[str, int] = {}
        self._fetching: dict[str, int] = {}
        self._fetches = 0
        """Fetches whose NOTIFY is unanswered: they hold a document each, and no subscription counts them."""
        self._spent: OrderedDict[str, float] = OrderedDict()
        """When the budget of an address is whole again."""
        self.is_unlimited = lru_cache(maxsize=MAX_SOURCES)(self._is_unlimited)

    def check(self, flow: Flow, total: int, same: int, *, fetch: bool) -> None:
        """One more subscription or fetch by `flow`, beside `total` others, `same` of them to its resource.

        Raises Refused 503 at a bound.
        """
        settings = self._settings
        full = (
            (fetch and self.has_all_fetches)
            or total >= settings.max_subscriptions
            or same >= settings.max_per_resource
            or (self._has_its_share(flow.source, fetch=fetch) and not self.is_unlimited(flow.remote[0]))
        )
        if full:
            raise Refused(503, "", ("Retry-After", "60"))

    def _has_its_share(self, source: str, *, fetch: bool) -> bool:
        if fetch and self._fetching.get(source, 0) >= max(self._settings.max_fetches // SHARE, SMALL_SHARE):
            return True
        return self._per_source.get(source, 0) >= self._settings.max_per_source

    @property
    def has_all_fetches(self) -> bool:
        """Whether the bound of unanswered fetches is reached."""
        return self._fetches >= self._settings.max_fetches

    def check_unverified(self, flow: Flow, *, now: float) -> None:
        """A SUBSCRIBE from an address that may be forged; raises Refused 503 when it has had its share of NOTIFYs."""
        if not self.may_be_forged(flow):
            return
        source = flow.source
        whole = max(self._spent.get(source, 0.0), now)
        if whole > now + BURST:
            raise Refused(503, "", ("Retry-After", "10"))
        self._spent[source] = whole + 1 / self._settings.unverified_rate
        self._spent.move_to_end(source)
        if len(self._spent) > MAX_SOURCES:
            self._spent.popitem(last=False)

    def may_be_forged(self, flow: Flow) -> bool:
        """Whether a packet on `flow` shows nothing about who sent it: UDP, and not from this machine or a proxy."""
        return not flow.reliable and not self.is_unlimited(flow.remote[0])

    def _is_unlimited(self, source: str) -> bool:
        """Loopback and trusted proxies are no source: a proxy on the same host, a laboratory, an edge."""
        address = ipaddress.ip_address(source)
        return address.is_loopback or any(address in network for network in self._settings.unlimited_sources)

    def count(self, source: str, *, fetch: bool = False) -> None:
        """One more is there."""
        self._per_source[source] = self._per_source.get(source, 0) + 1
        if fetch:
            self._fetches += 1
            self._fetching[source] = self._fetching.get(source, 0) + 1

    def uncount(self, source: str, *, fetch: bool = False) -> None:
        """One is gone."""
        if fetch:
            self._fetches -= 1
            _take_one(self._fetching, source)
        _take_one(self._per_source, source)


def _take_one(counts: dict[str, int], source: str) -> None:
    left = counts.get(source, 0) - 1
    if left > 0:
        counts[source] = left
    else:
        counts.pop(source, None)
