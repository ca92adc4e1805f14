"""What became of each version on its way to phones, from the database of a server that runs or does not."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gitops_profile.config import Config
from gitops_profile.inventory import Fetched, read_fetched
from gitops_profile.presentity import Presentation, ProfileHistory, Version
from gitops_profile.server import iso, phone_tags
from gitops_profile.sip import NO_DOCUMENT
from gitops_profile.state import StateFolder
from gitops_profile.subscriptions import VersionDelivery, read_deliveries

_COUNTS = ("notified", "acknowledged", "failed")


class Deliveries:
    """The facts of one profile, by the tags that phones were shown."""

    def __init__(self, settings: Config, history: ProfileHistory) -> None:
        """Under all names that it has had. `missing` says why there are none; None when there are."""
        self.missing: str | None = None
        versions = history.versions()
        aliases = {str(alias) for one in versions if one.document is not None for alias in one.document.aliases}
        state = StateFolder(settings.state)
        self._tag_of = _tags(state)
        self._facts: dict[str, list[VersionDelivery]] = {}
        self._fetched: dict[str, list[Fetched]] = {}
        try:
            found = read_deliveries(state.subscriptions, [str(history.owner), *sorted(aliases)])
            if not state.subscriptions.exists():
                self.missing = f"there is no {state.subscriptions}"
            self._fetched = _by_tag(read_fetched(state.devices, [str(history.owner)]))
        except sqlite3.Error as error:
            found, self.missing = [], f"{state.subscriptions} cannot be read: {error}"
        for one in found:
            self._facts.setdefault(one.etag, []).append(one)
        self._uses = Counter(tag for version in versions for tag in self._tags_of(version))

    def of(self, version: Version) -> dict[str, Any] | None:
        """What became of a version, all its presentations together; None when nobody knows.

        `shared`: another version of the profile has one of its presentations unchanged, and counts the same phones.
        """
        tags = self._tags_of(version)
        if self.missing is not None or not tags:
            return None
        return self._summed(tags) | {"shared": any(self._uses[tag] > 1 for tag in tags)}

    def of_presentation(self, shown: Presentation) -> dict[str, Any] | None:
        """The same, of what one kind of phone gets."""
        tag = self.tag(shown)
        return None if self.missing is not None or tag is None else self._summed([tag])

    def tag(self, shown: Presentation) -> str | None:
        """As phones see it; None for something sensitive when the server's secret cannot be read."""
        if not shown.sensitive:
            return shown.etag
        return self._tag_of(shown) if self._tag_of is not None else None

    def version_with(self, tag: str | None, versions: Sequence[Version]) -> Version | None:
        """The newest version that a phone has which acknowledged this tag."""
        return next((one for one in reversed(versions) if tag is not None and tag in self._tags_of(one)), None)

    def _tags_of(self, version: Version) -> list[str]:
        """Each once: two kinds of phones may get the same."""
        if version.document is None:
            return [NO_DOCUMENT]
        shown: tuple[Presentation, ...] = (version.document, *version.document.variants)
        return list(dict.fromkeys(tag for one in shown if (tag := self.tag(one)) is not None))

    def _summed(self, tags: Sequence[str]) -> dict[str, Any]:
        """What became of these; `fetched` are the phones that have it now and hold no subscription."""
        fetched = [one for tag in tags for one in self._fetched.get(tag, ())]
        times = [one.fetched_at for one in fetched]
        return _summed(self._about(tags)) | {
            "fetched": len({one.device for one in fetched}),
            "first_fetched": iso(min(times, default=None)),
            "last_fetched": iso(max(times, default=None)),
        }

    def _about(self, tags: Iterable[str]) -> list[VersionDelivery]:
        return [one for tag in tags for one in self._facts.get(tag, ())]


def _by_tag(fetched: Iterable[Fetched]) -> dict[str, list[Fetched]]:
    found: dict[str, list[Fetched]] = {}
    for one in fetched:
        found.setdefault(one.etag, []).append(one)
    return found


def _tags(state: StateFolder) -> Callable[[Presentation], str] | None:
    """None without the secret, which is another user's to read, or gone with a server that never ran here."""
    try:
        return phone_tags(state.secret.read_bytes())
    except OSError:
        return None


def _summed(facts: list[VersionDelivery]) -> dict[str, Any]:
    sums: dict[str, Any] = {name: sum(getattr(one, name) for one in facts) for name in _COUNTS}
    for name in _COUNTS:
        for end, choose in (("first", min), ("last", max)):
            times = [at for one in facts if (at := getattr(one, f"{end}_{name}")) is not None]
            sums[f"{end}_{name}"] = iso(choose(times)) if times else None
    return sums
