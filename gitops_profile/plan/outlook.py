"""What is known of a change beside the two states: who is subscribed now, and what a phone does about it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_profile.presentity import DEFAULT_DEVICE, InvalidKey, Presentation, ProfileDocument, ProfileKey, ProfileType

from .comparison import ProfileChange
from .grouping import Plan

Documents = Mapping[ProfileKey, ProfileDocument]


@dataclass(frozen=True, slots=True)
class Phones:
    """Subscriptions of a running server, by the changed profile that they are about."""

    subscribed: Mapping[ProfileKey, int]
    """All of them."""
    notified: Mapping[ProfileKey, int]
    """Those whose phone would be sent a NOTIFY, since what just it gets would differ."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known; by default nothing."""

    phones: Phones | None = None
    reboot: Mapping[ProfileKey, str] = field(default_factory=dict)
    """`notify.reboot` of the profiles that say it: "never" or "allow"."""
    notes: tuple[str, ...] = ()
    """About the two commits, for people."""
    held: str = ""
    """Why the server would not apply it before somebody approves; empty when it would."""


NOTHING_KNOWN = Outlook()


def phones_now(
    plan: Plan[ProfileChange], before: Documents, after: Documents, rows: Iterable[Mapping[str, Any]]
) -> Phones:
    """Who would be NOTIFYed, by the subscriptions that a server told (`get subscriptions`).

    Taken is that each phone has what is given before: a phone that is behind is NOTIFYed in any case.
    """
    sides = _Names(before), _Names(after)
    changed = {change.key for change in plan.changes}
    subscribed: Counter[ProfileKey] = Counter()
    notified: Counter[ProfileKey] = Counter()
    for row in rows:
        try:
            key = ProfileKey.parse(row["key"])
        except InvalidKey:
            continue  # of a server of another version
        old, new = (side.document(key) for side in sides)
        owner = next((d.key for d in (new, old) if d is not None and d.key in changed), None)
        if owner is None:
            continue
        device = row.get("device") or {}
        subscribed[owner] += 1
        notified[owner] += _given(old, device) != _given(new, device)
    return Phones(subscribed, +notified)


class _Names:
    """The documents of a state by all their names."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._aliases = {alias: document for document in documents.values() for alias in document.aliases}

    def document(self, key: ProfileKey) -> ProfileDocument | None:
        """What a subscriber of `key` is given; a device that is not known has the default's of its domain."""
        found = self._documents.get(key) or self._aliases.get(key)
        if found is None and key.profile_type is ProfileType.DEVICE:
            found = self._documents.get(ProfileKey.device(key.domain, DEFAULT_DEVICE))
        return found


def _given(document: ProfileDocument | None, device: Mapping[str, str | None]) -> tuple[str, bool] | None:
    """What decides whether a phone is told. A document that becomes `sensitive`, or no more, travels otherwise."""
    if document is None:
        return None
    given: Presentation = document.for_device(device.get("vendor"), device.get("model"), device.get("version"))
    return given.etag, given.sensitive
