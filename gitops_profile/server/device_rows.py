"""Phones of the inventory as plain data, for the admin socket and the command line."""

from collections.abc import Mapping
from typing import Any

from gitops_profile.devices import Standing, worst
from gitops_profile.inventory import Device, Holding
from gitops_profile.presentity import ProfileKey

from .views import iso


def device_row(device: Device, own: ProfileKey | None, standings: Mapping[str, Standing]) -> dict[str, Any]:
    """One phone: what it says of itself, its own profile, and where it stands with each document, by their keys."""
    keys = sorted({*device.holdings, *standings})
    return {
        "device": device.device,
        "mac": device.mac,
        "key": str(own) if own is not None else None,
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
        **standing_row(worst(standings.values())),
        "documents": [
            {**_holding(device.holdings.get(key) or Holding(key)), **standing_row(standings.get(key))} for key in keys
        ],
    }


def standing_row(where: Standing | None) -> dict[str, Any]:
    """A standing; all null for a phone without a document, and for a document that is no more."""
    if where is None:
        return dict.fromkeys(("rung", "since", "reason", "until"))
    return {
        "rung": str(where.rung),
        "since": iso(where.at),
        "reason": where.reason or None,
        "until": until_text(where.until),
    }


def until_text(until: float | None) -> str | None:
    """ISO 8601; None when no end is in sight."""
    return iso(until) if until != float("inf") else None


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
