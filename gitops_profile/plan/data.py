"""A plan for programs: plain data for JSON, whose keys stay what they are."""

from typing import Any

from .comparison import Change, PartChange, ProfileChange
from .difference import Binary, Difference, Fact, Hunk
from .grouping import Place, Plan
from .outlook import NOTHING_KNOWN, Outlook
from .telling import surprises


def as_data(plan: Plan[ProfileChange], outlook: Outlook = NOTHING_KNOWN) -> dict[str, Any]:
    """`notes`, `held`, `summary`, `profiles` (by profile) and `differences` (the same by difference)."""
    counts = {str(kind): sum(change.change is kind for change in plan.changes) for kind in Change}
    totals = {"profiles_before": plan.profiles_before, "profiles_after": plan.profiles_after}
    summary = counts | totals | {"reach_phones": sum(change.reaches_phones for change in plan.changes)}
    if outlook.phones is not None:
        summary["subscribed"] = sum(outlook.phones.subscribed.values())
        summary["notified"] = sum(outlook.phones.notified.values())
    return {
        "notes": list(outlook.notes),
        "held": outlook.held or None,
        "summary": summary,
        "profiles": [_profile(change, outlook) for change in plan.changes],
        "differences": [
            {
                **_difference(group.difference),
                "context_before": list(group.before),
                "context_after": list(group.after),
                "places": [_place(place) for place in group.places],
            }
            for group in plan.groups
        ],
    }


def _profile(change: ProfileChange, outlook: Outlook) -> dict[str, Any]:
    row: dict[str, Any] = {
        "key": str(change.key),
        "change": str(change.change),
        "path": change.path,
        "reaches_phones": change.reaches_phones,
        "parts": [_part(part) for part in change.parts],
    }
    if change.key in outlook.reboot:
        row["reboot"] = outlook.reboot[change.key]
    if texts := surprises(change, outlook):
        row["warnings"] = texts
    if outlook.phones is not None:
        row["subscribed"] = outlook.phones.subscribed.get(change.key, 0)
        row["notified"] = outlook.phones.notified.get(change.key, 0)
    return row


def _part(part: PartChange) -> dict[str, Any]:
    return {
        "variant": part.variant or None,
        "change": str(part.change),
        "content_type": part.shown.content_type,
        "sensitive": part.shown.sensitive,
        "effective_by": part.shown.effective_by,
        "bytes": None if part.shown.sensitive else len(part.shown.body),
        "delivery": str(part.way),
    }


def _place(place: Place) -> dict[str, Any]:
    return {"key": str(place.key), "variant": place.variant or None, "line": place.line or None}


def _difference(difference: Difference) -> dict[str, Any]:
    match difference:
        case Fact(name, before, after):
            return {"kind": "fact", "name": name, "before": before, "after": after}
        case Hunk(removed, added, whole):
            return {"kind": "new" if whole else "lines", "removed": list(removed), "added": list(added)}
        case Binary(before, after):
            return {"kind": "binary", "before": _side(before), "after": _side(after)}
    return {"kind": "secret"}


def _side(side: tuple[int, str] | None) -> dict[str, Any] | None:
    return None if side is None else {"bytes": side[0], "sha256": side[1]}
