"""How many connections each address has open: one stranger must not have them all."""

import logging
from collections import Counter
from collections.abc import Callable

from .client_address import Proxies, counted_address, is_proxy

logger = logging.getLogger(__name__)

CONNECTIONS = 1000
"""Of one listener, where there are open files for as many."""


class Places:
    """Counts them by `counted_address`. A Unix socket and a trusted proxy may have any number: others are behind it."""

    def __init__(
        self, most: int, proxies: Proxies = (), make_room: Callable[[str], bool] = lambda source: False
    ) -> None:
        """`most` connections for one address; `make_room(source)` has one of them given back if it can be spared."""
        self._most = most
        self._make_room = make_room
        self._proxies = proxies
        self._open: Counter[str] = Counter()
        self._full: set[str] = set()
        """Addresses of which it is said that they have all of theirs."""

    def take(self, peer: str | None) -> bool:
        """Count one more of `peer`, an IP address, or None of a Unix socket; whether it may be, else it is not counted.

        Whoever is given one gives it back.
        """
        if peer is None or is_proxy(peer, self._proxies):
            return True
        source = counted_address(peer)
        if self._open[source] < self._most or self._make_room(source):
            self._open[source] += 1
            return True
        if source not in self._full:
            self._full.add(source)
            logger.warning("http connections refused at=%d source=%s", self._most, source)
        return False

    def give_back(self, peer: str | None) -> None:
        """One that was given to `peer` is closed."""
        if peer is None or is_proxy(peer, self._proxies):
            return
        source = counted_address(peer)
        self._open[source] -= 1
        if not self._open[source]:
            del self._open[source]  # else every address that ever was here would stay

    def look_who_is_full(self) -> None:
        """To be called now and then: who has room again, and then has not, is worth another line in the log."""
        self._full = {source for source in self._full if self._open[source] >= self._most}
