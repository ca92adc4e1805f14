"""Where every phone stands with what is in force, subscribers and phones that fetch alike: for operators and `wait`."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from datetime import datetime
from typing import Any, Protocol

from gitops_profile.devices import Facts, Rung, Standing, event_for, standing, vendor_of, worst
from gitops_profile.http import AdminError, Handler
from gitops_profile.inventory import Device, Holding, Inventory
from gitops_profile.presentity import (
    InvalidKey,
    PresentityTable,
    ProfileDocument,
    ProfileKey,
)
from gitops_profile.sip import NO_DOCUMENT, EventPackage, Subscription
from gitops_profile.workers import Subscriptions

from . import views
from .device_rows import device_row, until_text
from .owing import Owing

_CHUNK = 200
"""Phones looked at before the loop gets its turn (invariant I8)."""
MAX_HELD = 10
"""Reasons for which phones are held that `status` names."""
_WITHHELD = "its document may not travel to it unprotected, and it was told of no link"
_NOT_TAKEN = "the NOTIFY was refused, or not answered"


class Closed(Protocol):
    """That a change has to wait: until when (Unix seconds, inf when no time is in sight), and why."""

    @property
    def until(self) -> float: ...
    @property
    def why(self) -> str: ...


class Ladder:
    """Reads where phones stand; it keeps nothing."""

    def __init__(
        self,
        table: PresentityTable,
        subscriptions: Subscriptions,
        package: EventPackage,
        inventory: Inventory,
        owing: Owing,
        held: Callable[[ProfileKey], Closed | None] = lambda key: None,
        ways: Collection[str] = ("aor", "contact"),
    ) -> None:
        """`held` asks the maintenance windows. `ways` are those of `push.to`; none when nobody is pushed to."""
        self._table = table
        self._subscriptions = subscriptions
        self._package = package
        self._inventory = inventory
        self._owing = owing
        self._held = held
        self._ways = ways

    def handlers(self) -> dict[str, Handler]:
        """For the admin socket."""
        return {"devices": self._devices}

    # -- subscribers -----------------------------------------------------------------------------------------------

    def of_subscription(self, subscription: Subscription) -> Standing:
        """Where a subscriber stands: what it acknowledged it has."""
        state = self._package.state(subscription.resource, subscription.audience)
        etag = state.etag if state is not None else NO_DOCUMENT
        has, is_about = subscription.has_etag(etag), subscription.told_etag == etag
        key = _key(subscription.resource)
        facts: dict[str, Any] = {"told_at": subscription.told_at if is_about else None}
        if subscription.delivery == "faulted":
            facts["fault"] = _WITHHELD if has else _NOT_TAKEN
            facts["fault_at"] = subscription.failed_at if not has else subscription.delivered_at
        elif has:
            facts["heard_at"] = (subscription.got_at if is_about else None) or subscription.delivered_at or 0.0
            facts["heard_status"] = 200
        return standing(self._facts(key, has, facts))

    # -- phones that fetch -----------------------------------------------------------------------------------------

    def of_device(self, device: Device) -> Iterator[tuple[ProfileDocument, Holding | None, Standing]]:
        """Where it stands with each of its documents."""
        for document, etag, holding in self._owing.documents(device):
            has = holding is not None and holding.etag == etag
            subscription = None if has else self._owing.subscription(device, document)
            if subscription is not None:
                yield document, holding, self.of_subscription(subscription)
                continue
            facts: dict[str, Any] = {}
            if holding is not None:
                names = ["fault", "fault_at"]
                names += ["fetched_at", "returned_at"] if has else []
                names += ["told_at", "heard_at", "heard_status"] if holding.told_etag == etag else []
                facts = {name: getattr(holding, name) for name in names}
            yield document, holding, standing(self._facts(document.key, has, facts))

    def _facts(self, key: ProfileKey | None, has: bool, facts: dict[str, Any]) -> Facts:
        stamp = self._stamp_at(key)
        closed = self._held(key) if key is not None and not has else None
        if closed is not None:
            facts |= {"held_until": closed.until, "held_why": closed.why}
        return Facts(desired_at=stamp, **facts)

    def _stamp_at(self, key: ProfileKey | None) -> float | None:
        owner = self._table.resolve(key) if key is not None else None
        stamp = self._table.revision_of(owner) if owner is not None else None
        return datetime.fromisoformat(stamp.committed_at).timestamp() if stamp is not None else None

    def devices(self, keys: Collection[ProfileKey] | None) -> list[Device]:
        """The phones with one of these profiles; None: all. One that stands in for a phone that was seen is none.

        Neither is one that was only expected, by an AoR that its manifest names no more.
        """
        devices = list(self._inventory) if keys is None else self._inventory.holders(map(str, keys))
        return [
            device
            for device in devices
            if (device.how or self._owing.policy(device).aor is not None) and not self._inventory.is_stand_in(device)
        ]

    def device(self, name: str) -> Device | None:
        """The phone of this name in the inventory."""
        return self._inventory.get(name)

    def document(self, key: ProfileKey) -> ProfileDocument | None:
        """The document in force."""
        return self._table.get(key)

    def has(self, subscription: Subscription) -> bool:
        """Whether a subscriber has what is in force."""
        return views.is_current(subscription, self._package)

    def can_be_told(self, device: Device) -> bool:
        """Whether a check-sync can be sent at all: its vendor knows one, and somebody knows where it is."""
        vendor, policy = vendor_of(None, device.mac, device.vendor), self._owing.policy(device)
        places = {"aor": policy.aor, "contact": device.contact}
        return event_for(vendor, policy) is not None and any(places[way] is not None for way in self._ways)

    # -- what is told ----------------------------------------------------------------------------------------------

    async def summary(self) -> dict[str, Any]:
        """For `status`: how many phones stand on each rung, and why those wait that are held.

        A phone that is in the inventory and subscribed is one phone.
        """
        counts: Counter[Rung] = Counter()
        held: Counter[tuple[str, float]] = Counter()
        async for where in self._phones():
            counts[where.rung] += 1
            if where.rung is Rung.HELD:
                held[where.reason, where.until or 0.0] += 1
        return {
            "ladder": {str(rung): counts[rung] for rung in Rung},
            "held_phones": [
                {"phones": count, "reason": reason, "until": until_text(until)}
                for (reason, until), count in sorted(held.items(), key=lambda item: item[0][1])[:MAX_HELD]
            ],
        }

    async def _phones(self) -> AsyncIterator[Standing]:
        """Each phone with a document, once."""
        counted: set[str] = set()
        for number, device in enumerate(self.devices(None), 1):
            standings = []
            for document, _, where in self.of_device(device):
                subscription = self._owing.subscription(device, document)
                if subscription is not None:
                    counted.add(subscription.id)
                elif device.only_subscribes:
                    continue  # it had a subscription and left
                standings.append(where)
            found = worst(standings)
            if found is not None:
                yield found
            if number % _CHUNK == 0:
                await asyncio.sleep(0)
        for number, id_ in enumerate(self._subscriptions.ids(), 1):
            held = self._subscriptions.find(id_) if id_ not in counted else None
            if held is not None:  # else it is over meanwhile
                yield self.of_subscription(held)
            if number % _CHUNK == 0:
                await asyncio.sleep(0)

    async def _devices(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Every phone that was seen, the newest contact first.

        With `key` those that have, or were given, this profile; with `unknown` those without one.
        """
        key, unknown = parameters.get("key"), bool(parameters.get("unknown"))
        if key is not None and not isinstance(key, str):
            raise AdminError("key must be a text")
        devices = list(self._inventory) if key is None else self._inventory.holders([key])
        rows = []
        for number, device in enumerate(sorted(devices, key=_newest), 1):
            if not unknown or self._owing.own(device) is None:
                rows.append(self.row(device))
            if number % _CHUNK == 0:
                await asyncio.sleep(0)
        return rows

    def row(self, device: Device) -> dict[str, Any]:
        """One phone as plain data."""
        standings = {str(document.key): where for document, _, where in self.of_device(device)}
        return device_row(device, self._owing.own(device), standings)


def _newest(device: Device) -> tuple[float, str]:
    return -device.last_seen, device.device


def _key(text: str) -> ProfileKey | None:
    try:
        return ProfileKey.parse(text)
    except InvalidKey:
        return None  # of a resource of another event package
