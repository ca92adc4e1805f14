"""The inventory in memory: a fold of sightings and of what became of pushes. It does no I/O and knows no clock.

Bounded: a phone with a profile of its own stays. Of the others, whom anybody can invent, the newest are kept, and of
those from one address a few, so that a flood of random MACs pushes out nothing but itself (invariant I9). Strangers
were given nothing; guests were given a file of many phones.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator

from gitops_profile.devices import How, Sighting

from .crowd import Crowd
from .device import Device, Holding

MAX_STRANGERS = 2000
MAX_STRANGERS_PER_SOURCE = 200
MAX_GUESTS = 20_000
MAX_GUESTS_PER_SOURCE = 2000
"""A site behind one address."""
MAX_TEXT = 255
"""Characters of what a phone says of itself."""
MAX_HOLDINGS = 16
"""Documents of one phone; of more the one fetched longest ago is forgotten."""
RETURNS_AFTER = 10.0
"""Seconds after a fetch from when on another contact is the phone coming back: the files of one boot come at once."""
SEEN_AGAIN_AFTER = 60.0
"""Seconds that a contact that says nothing new is not worth a row being written."""

_HOST = re.compile(r"sips?:(?:[^@]*@)?(\[[^@\]]+\]|[^@\[\]:;?>]+)([:;?][^@]*)?", re.IGNORECASE)
"""One @ at most: of two, readers differ in which one the host stands behind."""
_OVER_HTTP = (How.GET, How.PUT)
_SAID = ("mac", "vendor", "serial", "user_agent", "key", "contact")


class Inventory:
    """Every phone that was seen."""

    def __init__(self, devices: Iterable[Device] = ()) -> None:
        self._devices: dict[str, Device] = {}
        self._holders: dict[str, set[str]] = {}
        """By profile: the phones whose own it is, or that were given it."""
        self._strangers = Crowd(MAX_STRANGERS, MAX_STRANGERS_PER_SOURCE)
        self._guests = Crowd(MAX_GUESTS, MAX_GUESTS_PER_SOURCE)
        self._changed: dict[str, None] = {}
        self._written_seen: dict[str, float] = {}
        self.take_up(devices)

    def take_up(self, devices: Iterable[Device]) -> None:
        """What was written in an earlier life."""
        for device in sorted(devices, key=lambda device: device.last_seen):
            self._keep(device)

    def __len__(self) -> int:
        return len(self._devices)

    def __iter__(self) -> Iterator[Device]:
        return iter(self._devices.values())

    def get(self, device: str) -> Device | None:
        """The phone of this name."""
        return self._devices.get(device)

    def holders(self, keys: Iterable[str]) -> list[Device]:
        """The phones whose own profile is one of `keys`, or that were ever given it."""
        names = dict.fromkeys(name for key in keys for name in sorted(self._holders.get(key, ())))
        return [self._devices[name] for name in names]

    def is_stand_in(self, device: Device) -> bool:
        """Whether it was only expected, and a phone that was seen under another name has the profile meanwhile."""
        return not device.how and any(other.how for other in self.holders([device.key or ""]))

    def take_changed(self) -> tuple[list[Device], list[str]]:
        """What is to be written since the last call: phones as they are now, and the names of those forgotten."""
        changed, self._changed = self._changed, {}
        kept = [self._devices[name].copy() for name in changed if name in self._devices]
        for device in kept:
            self._written_seen[device.device] = device.last_seen
        return kept, [name for name in changed if name not in self._devices]

    def give_back(self, devices: Iterable[Device], gone: Iterable[str]) -> None:
        """What `take_changed` gave was not written: it is to be, later."""
        self._changed |= dict.fromkeys([*(device.device for device in devices), *gone])

    # -- what happened ---------------------------------------------------------------------------------------------

    def see(self, sighting: Sighting) -> Device | None:
        """A contact; the phone, or None for a stranger too many from one address."""
        device = self._devices.get(sighting.device)
        is_new = device is None
        if device is None:
            if sighting.key is None and not self._strangers.takes(sighting.address):
                return None  # what a flood costs is this
            device = Device(sighting.device, sighting.address, sighting.at, sighting.at, str(sighting.how))
        before = None if is_new else self._crowd(device)
        address = device.address
        news = self._learn(device, sighting) or is_new
        for holding in device.holdings.values():
            news = _note_return(holding, sighting.at) or news
        if sighting.status is not None and sighting.key is not None:
            news = self._note_answer(device, sighting) or news
        device.last_seen, device.how = max(device.last_seen, sighting.at), str(sighting.how)
        crowd = self._crowd(device)
        if crowd is not None and crowd is not before and not crowd.takes(device.address):
            self._drop(device)
            return None
        if news or crowd is not None:  # else it is kept already, and in no crowd
            self._keep(device)
        stale = device.last_seen - self._written_seen.get(device.device, 0.0) >= SEEN_AGAIN_AFTER
        if news or stale or address != device.address:
            self._changed[device.device] = None
        return device

    def expect(self, device: str, key: str, mac: str | None, at: float) -> Device:
        """A phone that has a profile and was never seen, but can be told all the same."""
        known = self._devices.get(device)
        if known is None:
            known = Device(device, "", at, 0.0, "", mac=mac, key=key)
            self._keep(known)
            self._changed[device] = None
        return known

    def pushed(self, device: str, key: str, etag: str, at: float) -> None:
        """A check-sync about this version was sent."""
        holding = self._holding(device, key)
        if holding is not None:
            holding.told_etag, holding.told_at = etag, at
            holding.heard_at = holding.heard_status = None

    def push_answered(self, device: str, key: str, status: int, at: float, *, fault: str | None = None) -> None:
        """How it answered; `fault` says what is wrong, None when nothing is."""
        holding = self._holding(device, key)
        if holding is not None:
            holding.heard_status, holding.heard_at = status, at
            holding.fault, holding.fault_at = (fault, at) if fault is not None else (None, None)

    def push_failed(self, device: str, key: str, fault: str, at: float) -> None:
        """The check-sync did not reach it."""
        holding = self._holding(device, key)
        if holding is not None:
            holding.fault, holding.fault_at = fault, at

    def _holding(self, device: str, key: str) -> Holding | None:
        found = self._devices.get(device)
        if found is None:
            return None
        holding = found.holding(key)
        self._keep(found)
        self._changed[device] = None
        return holding

    # -- what a contact says ---------------------------------------------------------------------------------------

    def _learn(self, device: Device, sighting: Sighting) -> bool:
        """Take over what it says of itself; whether that is news."""
        before = device.key
        news = device.address != sighting.address
        if news:
            device.proven = False  # whoever is there now is yet to show who he is
        device.address = sighting.address
        for name in _SAID:
            said = getattr(sighting, name)
            if said is None or said == getattr(device, name):
                continue
            said = said[:MAX_TEXT]
            if name == "contact" and not _is_at(said, sighting.address):
                continue  # what a phone says of its address must not make us a reflector
            if name == "vendor" and device.by_agent and sighting.how not in _OVER_HTTP:
                continue  # an Event header may name the vendor of the platform
            if name == "key" and sighting.how is How.GET and said.rpartition("/")[2] != device.device:
                continue  # a file of many phones, or one of several of this one
            if getattr(device, name) != said:
                setattr(device, name, said)
                news = True
        news = _learn_model(device, sighting) or news
        if sighting.how is How.GET and device.proven != sighting.proven:
            device.proven = sighting.proven
            news = True
        if before is not None and before != device.key:
            self._let_go(before, device)
        return news

    def _note_answer(self, device: Device, sighting: Sighting) -> bool:
        """What it was answered over HTTP; whether that is news."""
        key, status, etag = sighting.key, sighting.status, sighting.etag
        assert key is not None and status is not None
        if status in (200, 304) and etag is not None:
            holding = device.holding(key)
            again = holding.etag == etag and (holding.told_at or 0.0) <= (holding.fetched_at or 0.0)
            if again and holding.fault is None:
                return False
            if not again:
                holding.etag, holding.fetched_at, holding.returned_at = etag, sighting.at, None
            holding.fault = holding.fault_at = None
            self._bound(device)
            return True
        # Asked by HEAD it has no version; a challenge is no fault, and neither is another file.
        if key not in device.holdings or status < 400 or status in (401, 404):
            return False
        holding = device.holdings[key]
        holding.fault, holding.fault_at = f"GET answered {status}", sighting.at
        return True

    def _bound(self, device: Device) -> None:
        while len(device.holdings) > MAX_HOLDINGS:
            oldest = min(device.holdings.values(), key=lambda h: max(h.fetched_at or 0.0, h.told_at or 0.0))
            del device.holdings[oldest.key]
            self._let_go(oldest.key, device)

    # -- what is kept ----------------------------------------------------------------------------------------------

    def _crowd(self, device: Device) -> Crowd | None:
        """Of whom it is one; None of those that stay: there are no more of them than profiles."""
        if device.is_stranger:
            return self._strangers
        return self._guests if device.is_guest else None

    def _keep(self, device: Device) -> None:
        self._devices[device.device] = device
        for key in (device.key, *device.holdings):
            if key is not None:
                self._holders.setdefault(key, set()).add(device.device)
        crowd = self._crowd(device)
        for other in (self._strangers, self._guests):
            if other is not crowd:
                other.leave(device.device)
        too_many = crowd.enter(device.device, device.address) if crowd is not None else None
        if too_many is not None:
            self._drop(self._devices[too_many])

    def _drop(self, device: Device) -> None:
        """Forget it, if it is known at all."""
        self._strangers.leave(device.device)
        self._guests.leave(device.device)
        keys, device.holdings = list(device.holdings), {}
        for key in keys:
            self._let_go(key, device)
        self._written_seen.pop(device.device, None)
        if self._devices.pop(device.device, None) is not None:
            self._changed[device.device] = None

    def _let_go(self, key: str, device: Device) -> None:
        if key == device.key or key in device.holdings:
            return
        holders = self._holders.get(key)
        if holders is not None:
            holders.discard(device.device)
            if not holders:
                del self._holders[key]


def _learn_model(device: Device, sighting: Sighting) -> bool:
    """Take over model and firmware; whether that is news.

    What an HTTP User-Agent says decides which variant the phone is given: neither an Event header nor a SIP User-Agent
    takes its place (phones.md 1.3), or the phone would be held to have another variant than it has.
    """
    before = device.model, device.firmware, device.by_agent
    model, firmware = (said and said[:MAX_TEXT] for said in (sighting.model, sighting.firmware))
    if model is None and firmware is None:
        return False
    by_agent = sighting.how in _OVER_HTTP
    if by_agent and not device.by_agent:
        device.model, device.firmware, device.by_agent = model, firmware, True
    elif by_agent or not device.by_agent:
        device.model, device.firmware = model or device.model, firmware or device.firmware
    return before != (device.model, device.firmware, device.by_agent)


def _is_at(uri: str, address: str) -> bool:
    """Whether a SIP URI names this address, and by no name that could lead elsewhere."""
    found = _HOST.fullmatch(uri)
    try:
        host = ipaddress.ip_address(found[1].strip("[]")) if found is not None else None
        return host == ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False


def _note_return(holding: Holding, at: float) -> bool:
    if holding.fetched_at is None or holding.returned_at is not None or at < holding.fetched_at + RETURNS_AFTER:
        return False
    holding.returned_at = at
    return True
