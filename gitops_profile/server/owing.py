"""What a phone is owed: decided from what it has and what is in force, never from the change (invariant I3)."""

from collections.abc import Callable
from dataclasses import dataclass

from gitops_profile.devices import shown_to, vendor_of
from gitops_profile.inventory import Device, Holding
from gitops_profile.presentity import (
    NO_POLICY,
    NotifyPolicy,
    Presentation,
    PresentityTable,
    ProfileDocument,
    ProfileKey,
    ProfileType,
)
from gitops_profile.push import Verdict, verdict_of
from gitops_profile.sip import Notifier, source_of


@dataclass(frozen=True, slots=True)
class Owed:
    """A document that a phone has in another version, or not at all."""

    key: ProfileKey
    etag: str
    """The version in force, as phones see it."""


class Owing:
    """Compares what phones have with what they should have."""

    def __init__(
        self,
        table: PresentityTable,
        notifier: Notifier,
        tag_of: Callable[[Presentation], str],
        own_key: Callable[[str], ProfileKey | None],
    ) -> None:
        """`own_key(mac)` is the profile of a phone."""
        self._table = table
        self._notifier = notifier
        self._tag_of = tag_of
        self._own_key = own_key

    def to(self, device: Device) -> list[Owed]:
        """The documents that this phone has in another version and that it was not told of."""
        own = self.own(device)
        keys = [ProfileKey.parse(name) for name in device.holdings]
        if own is not None and own not in keys:
            keys.insert(0, own)
        vendor = vendor_of(None, device.mac, device.vendor)
        found = []
        for key in keys:
            document = self._table.get(key)
            if document is None or self._is_subscribed(device, key):
                continue
            etag = self._tag_of(shown_to(document, vendor, device.model, device.firmware))
            if not _knows(device.holdings.get(str(key)), etag):
                found.append(Owed(key, etag))
        return found

    def own(self, device: Device) -> ProfileKey | None:
        """The phone's own profile."""
        if device.mac is not None:
            return self._own_key(device.mac)
        return ProfileKey.parse(device.key) if device.key is not None else None

    def policy(self, device: Device) -> NotifyPolicy:
        """How it may be told: as its own profile says."""
        own = self.own(device)
        document: ProfileDocument | None = self._table.get(own) if own is not None else None
        return document.notify if document is not None else NO_POLICY

    def _is_subscribed(self, device: Device, key: ProfileKey) -> bool:
        """Whether the notifier tells it. A user's profile may be subscribed to by another phone of his than this."""
        subscribed = self._notifier.subscriptions_to(str(key))
        if key.profile_type is ProfileType.DEVICE:
            return any(True for _ in subscribed)
        here = source_of(device.address)
        return any(subscription.source == here for subscription in subscribed)


def _knows(holding: Holding | None, etag: str) -> bool:
    """Whether it has this version, or has said that it heard of it, or that it does not listen to such words."""
    if holding is None:
        return False
    if holding.etag == etag:
        return True
    if holding.told_etag != etag or holding.heard_status is None:
        return False
    return verdict_of(holding.heard_status) in (Verdict.HEARD, Verdict.UNSUPPORTED)
