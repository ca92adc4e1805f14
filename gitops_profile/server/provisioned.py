"""Which profile is a device's: it says its MAC, and rarely its domain."""

from collections.abc import Iterable

from gitops_profile.presentity import PresentityTable, ProfileKey

MAX_FOUND = 4096


class Provisioned:
    """Looks device profiles up in every domain."""

    def __init__(self, table: PresentityTable, first: Iterable[str] = ()) -> None:
        """`first` are canonical names: the domains that count before all others, in this order."""
        self._table = table
        self._first = tuple(first)
        self._found: dict[str, ProfileKey | None] = {}
        """What was looked up since the table changed, whether it is there or not (2 µs of a GET, bench_http.py)."""
        self._changes = -1

    def key_in(self, domain: str, device: str) -> ProfileKey | None:
        """The profile of this MAC or other identifier in a domain, whose name is canonical."""
        return self._table.resolve(ProfileKey.device_in(domain, device))

    def key_of(self, device: str) -> ProfileKey | None:
        """The profile of this MAC or other identifier, an alias of it included; None when nobody has it.

        When several domains do, the first of them by name does: one device has one profile.
        """
        if self._changes != self._table.changes or len(self._found) >= MAX_FOUND:
            self._changes = self._table.changes
            self._found.clear()
        if device not in self._found:
            self._found[device] = self._find(device)
        return self._found[device]

    def _find(self, device: str) -> ProfileKey | None:
        domains = (*self._first, *sorted(self._table.domains))
        # All of them, so that an answer takes as long for a device that nobody has (invariant I10).
        found = [self.key_in(domain, device) for domain in domains]
        return next((key for key in found if key is not None), None)
