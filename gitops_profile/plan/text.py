"""A plan for a terminal."""

from collections.abc import Iterator

from .comparison import Change, ProfileChange
from .grouping import Place, Plan
from .outlook import NOTHING_KNOWN, Outlook
from .telling import telling
from .wording import body_lines, effects, heading, held, place_name, shown, summary, ways

MAX_PLACES = 10
"""Profiles named for each difference."""


def as_text(plan: Plan[ProfileChange], outlook: Outlook = NOTHING_KNOWN) -> Iterator[str]:
    """Lines for people; no control character of a document is among them."""
    for note in outlook.notes:
        yield f"note: {shown(note)}"
    if outlook.held:
        yield held(outlook)
    for change in plan.changes:
        if change.change is not Change.CHANGED:
            yield f"{change.change}: {_profile(change, outlook)}"
    for group in plan.groups:
        yield ""
        yield f"{heading(group)}:"
        yield from body_lines(group)
        yield from _places(group.places, outlook)
    for text, places in (*ways(plan), *effects(plan, outlook), *telling(plan, outlook)):
        yield ""
        yield f"{text}:"
        yield from _places(places, NOTHING_KNOWN)
    if plan.groups:
        yield ""
    yield summary(plan, outlook)


def _profile(change: ProfileChange, outlook: Outlook) -> str:
    part = change.parts[0].shown
    size = "sensitive" if part.sensitive else f"{len(part.body)} bytes"
    name = place_name(Place(change.key, ""), outlook)
    return f"{name}, {shown(part.content_type)}, {size}, from {shown(change.path)}"


def _places(places: tuple[Place, ...], outlook: Outlook) -> Iterator[str]:
    for place in places[:MAX_PLACES]:
        yield f"    {place_name(place, outlook)}"
    if len(places) > MAX_PLACES:
        yield f"    … and {len(places) - MAX_PLACES} more"
