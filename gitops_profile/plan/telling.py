"""What is to be known of hardware phones before they are told: some reboot whatever is said, some cannot be told."""

from collections.abc import Iterator

from gitops_profile.devices import GENERIC, Vendor, vendor_named, vendor_of_mac
from gitops_profile.presentity import ProfileDocument, ProfileKey, ProfileType, mac_of

from .comparison import Change, ProfileChange
from .grouping import Place, Plan
from .outlook import Outlook

_ITSELF = "they fetch when they start, or by their own timer"


def telling(plan: Plan[ProfileChange], outlook: Outlook) -> Iterator[tuple[str, tuple[Place, ...]]]:
    """What may surprise somebody, and the profiles whose phones it is about."""
    found: dict[str, dict[Place, None]] = {}
    for change in plan.changes:
        for text in surprises(change, outlook):
            found.setdefault(text, {})[Place(change.key, "")] = None
    for text, places in sorted(found.items()):
        yield text, tuple(places)


def surprises(change: ProfileChange, outlook: Outlook) -> list[str]:
    """The same of one profile. A phone that is subscribed to it needs no check-sync, and none is said of it."""
    is_device = change.key.profile_type is ProfileType.DEVICE
    if not is_device or change.change is Change.REMOVED or not change.reaches_phones:
        return []
    if outlook.phones is not None and outlook.phones.subscribed.get(change.key):
        return []
    may_reboot = outlook.reboot.get(change.key) == "allow"
    texts = (_surprise(vendor, may_reboot) for vendor in _vendors(change))
    return [text for text in texts if text]


def _surprise(vendor: Vendor, may_reboot: bool) -> str:
    name, why = vendor.name, vendor.reboots_anyway
    if vendor.refetch is not None:
        return f"{name} phones may reboot for it, whatever notify.reboot says: {why}" if why else ""
    if vendor.reboot is None:
        return f"{name} phones have no known way to be told of it: {_ITSELF}"
    if may_reboot:
        return f"{name} phones reboot for it: {why}"
    return f"{name} phones are not told of it, unless notify.reboot allows it ({why}): {_ITSELF}"


def _vendors(change: ProfileChange) -> list[Vendor]:
    """Of the phones of a profile, by their MACs and by whom its variants are for; those that are not known left out."""
    names = [_vendor_of(key) for key in change.names]
    names += [
        part.shown.vendor.strip("*")
        for part in change.parts
        if not isinstance(part.shown, ProfileDocument) and part.shown.vendor and part.change is not Change.REMOVED
    ]
    found = {vendor_named(name).name: vendor_named(name) for name in names if name}
    return [vendor for vendor in found.values() if vendor is not GENERIC]


def _vendor_of(key: ProfileKey) -> str | None:
    mac = mac_of(key.name[:12]) if key.profile_type is ProfileType.DEVICE else None
    return vendor_of_mac(mac) if mac is not None else None
