"""The inventory as plain data, for the admin socket and the command line."""

from collections.abc import Callable, Iterable
from typing import Any

from gitops_profile.inventory import Device, Holding
from gitops_profile.presentity import ProfileKey

from .views import iso


def device_rows(
    devices: Iterable[Device], own: Callable[[Device], ProfileKey | None], *, unknown: bool
) -> list[dict[str, Any]]:
    """Every phone that was seen, or only those without a profile, the newest contact first. `own` is its profile."""
    rows = []
    for device in sorted(devices, key=lambda one: (-one.last_seen, one.device)):
        key = own(device)
        if unknown and key is not None:
            continue
        rows.append(
            {
                "device": device.device,
                "mac": device.mac,
                "key": str(key) if key is not None else None,
                "vendor": device.vendor,
                "model": device.model,
                "firmware": device.firmware,
                "serial": device.serial,
                "user_agent": device.user_agent,
                "address": device.address or None,
                "contact": device.contact,
                "how": device.how or None,
                "proven": device.proven,
                "first_seen": iso(device.first_seen),
                "last_seen": iso(device.last_seen or None),
                "documents": [_holding(holding) for _, holding in sorted(device.holdings.items())],
            }
        )
    return rows


def _holding(holding: Holding) -> dict[str, Any]:
    return {
        "key": holding.key,
        "fetched_etag": holding.etag,
        "fetched_at": iso(holding.fetched_at),
        "notified_etag": holding.told_etag,
        "notified_at": iso(holding.told_at),
        "answered_at": iso(holding.heard_at),
        "answered": holding.heard_status,
        "returned_at": iso(holding.returned_at),
        "fault": holding.fault,
        "fault_at": iso(holding.fault_at),
    }
