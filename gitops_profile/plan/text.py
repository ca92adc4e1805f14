"""A plan for a terminal."""

from collections.abc import Iterator, Mapping

from gitops_profile.presentity import ProfileKey

from .comparison import Change, ProfileChange
from .grouping import Place, Plan
from .wording import body_lines, heading, place_name, shown, summary, ways

MAX_PLACES = 10
"""Profiles named for each difference."""


def as_text(plan: Plan[ProfileChange], subscribed: Mapping[ProfileKey, int] | None = None) -> Iterator[str]:
    """Lines for people; no control character of a document is among them."""
    for change in plan.changes:
        if change.change is not Change.CHANGED:
            yield f"{change.change}: {_profile(change, subscribed)}"
    for group in plan.groups:
        yield ""
        yield f"{heading(group)}:"
        yield from body_lines(group)
        yield from _places(group.places, subscribed)
    for text, places in ways(plan):
        yield ""
        yield f"{text}:"
        yield from _places(places, None)
    if plan.groups:
        yield ""
    yield summary(plan, subscribed)


def _profile(change: ProfileChange, subscribed: Mapping[ProfileKey, int] | None) -> str:
    part = change.parts[0].shown
    size = "sensitive" if part.sensitive else f"{len(part.body)} bytes"
    name = place_name(Place(change.key, ""), subscribed)
    return f"{name}, {shown(part.content_type)}, {size}, from {shown(change.path)}"


def _places(places: tuple[Place, ...], subscribed: Mapping[ProfileKey, int] | None) -> Iterator[str]:
    for place in places[:MAX_PLACES]:
        yield f"    {place_name(place, subscribed)}"
    if len(places) > MAX_PLACES:
        yield f"    … and {len(places) - MAX_PLACES} more"
