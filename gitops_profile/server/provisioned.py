"""Which profile is a device's: it says its MAC, and rarely its domain."""

from collections.abc import Iterable

from gitops_profile.presentity import PresentityTable, ProfileKey


class Provisioned:
    """Looks device profiles up in every domain."""

    def __init__(self, table: PresentityTable, first: Iterable[str] = ()) -> None:
        """`first` are the domains that count before all others, in this order."""
        self._table = table
        self._first = tuple(first)

    def key_of(self, device: str) -> ProfileKey | None:
        """The profile of this MAC or other identifier, an alias of it included; None when nobody has it.

        When several domains do, the first of them by name does: one device has one profile.
        """
        domains = (*self._first, *sorted(self._table.domains))
        # All of them, so that an answer takes as long for a device that nobody has (invariant I10).
        found = [self._table.resolve(ProfileKey.device(domain, device)) for domain in domains]
        return next((key for key in found if key is not None), None)
