"""What a phone is owed: decided from what it has and what is in force, never from the change (invariant I3)."""

from collections.abc import Callable, Iterator
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
    parsed_key,
)
from gitops_profile.push import Verdict, verdict_of
from gitops_profile.sip import Subscription, source_of
from gitops_profile.workers import Subscriptions


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
        subscriptions: Subscriptions,
        tag_of: Callable[[Presentation], str],
        own_key: Callable[[str], ProfileKey | None],
    ) -> None:
        """`own_key(mac)` is the profile of a phone."""
        self._table = table
        self._subscriptions = subscriptions
        self._tag_of = tag_of
        self._own_key = own_key

    def to(self, device: Device) -> list[Owed]:
        """The documents that this phone has in another version and that it was not told of."""
        owed = []
        for document, etag, holding in self.documents(device):
            if holding is not None and holding.etag == etag:
                continue  # most of the time, and asked for at every contact
            if not _knows(holding, etag) and self.subscription(device, document) is None:
                owed.append(Owed(document.key, etag))
        return owed

    def documents(self, device: Device) -> Iterator[tuple[ProfileDocument, str, Holding | None]]:
        """Its own document and the others that it was given, while they exist: with the tag that it should have."""
        own = self.own(device)
        keys: dict[ProfileKey, Holding | None] = {
            parsed_key(name): holding for name, holding in device.holdings.items()
        }
        if own is not None and own not in keys:
            keys = {own: device.holdings.get(str(own)), **keys}
        for key, holding in keys.items():
            document = self._table.get(key)
            if document is not None:
                yield document, self.desired(device, document), holding

    def desired(self, device: Device, document: ProfileDocument) -> str:
        """The entity-tag of what this phone is given of a document."""
        vendor = vendor_of(None, device.mac, device.vendor)
        return self._tag_of(shown_to(document, vendor, device.model, device.firmware))

    def own(self, device: Device) -> ProfileKey | None:
        """The phone's own profile."""
        if device.mac is not None:
            return self._own_key(device.mac)
        return self._table.resolve(ProfileKey.parse(device.key)) if device.key is not None else None

    def policy(self, device: Device) -> NotifyPolicy:
        """How it may be told: as its own profile says."""
        own = self.own(device)
        document: ProfileDocument | None = self._table.get(own) if own is not None else None
        return document.notify if document is not None else NO_POLICY

    def subscription(self, device: Device, document: ProfileDocument) -> Subscription | None:
        """The subscription, under any name of the document, by which the notifier tells this phone.

        A user's profile may be subscribed to by another phone of his than this, and so may a document of many phones.
        """
        here, other = source_of(device.address), None
        for key in (document.key, *document.aliases):
            for subscription in self._subscriptions.subscriptions_to(str(key)):
                if subscription.source == here:
                    return subscription
                other = subscription
        return other if document.key == self.own(device) and document.key.profile_type is ProfileType.DEVICE else None


def _knows(holding: Holding | None, etag: str) -> bool:
    """Whether it has this version, or has said that it heard of it, or that it does not listen to such words."""
    if holding is None:
        return False
    if holding.etag == etag:
        return True
    if holding.told_etag != etag or holding.heard_status is None:
        return False
    return verdict_of(holding.heard_status) in (Verdict.HEARD, Verdict.UNSUPPORTED)
