"""The same difference in many profiles is told once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gitops_profile.presentity import ProfileKey

from .difference import Difference, Fact, Found, Hunk


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a difference is."""

    key: ProfileKey
    variant: str
    """Whom the variant is for; empty for the document of all others."""
    line: int = 0
    """Counted from 1, in the new body; 0 where there are no lines."""


@dataclass(frozen=True, slots=True)
class Group:
    """One difference, and every place that has it."""

    difference: Difference
    places: tuple[Place, ...]
    before: tuple[str, ...] = ()
    """Unchanged lines that stand before it in all places."""
    after: tuple[str, ...] = ()


C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Plan(Generic[C]):
    """All that changes: by profile, and again by difference."""

    changes: tuple[C, ...]
    """In the order of keys."""
    groups: tuple[Group, ...]
    """What is about safety first, then what touches most profiles."""
    profiles_before: int
    profiles_after: int

    def __bool__(self) -> bool:
        return bool(self.changes)


@dataclass(slots=True)
class _Open:
    places: list[Place]
    before: tuple[str, ...]
    after: tuple[str, ...]


def group(found: Iterable[tuple[Place, Found]]) -> tuple[Group, ...]:
    """Gather equal differences; of the lines around them stays what is the same everywhere."""
    groups: dict[Difference, _Open] = {}
    for place, one in found:
        known = groups.get(one.difference)
        if known is None:
            groups[one.difference] = _Open([place], one.before, one.after)
            continue
        known.places.append(place)
        if known.before != one.before:
            known.before = _common(known.before[::-1], one.before[::-1])[::-1]
        if known.after != one.after:
            known.after = _common(known.after, one.after)
    made = [Group(difference, tuple(o.places), o.before, o.after) for difference, o in groups.items()]
    return tuple(sorted(made, key=lambda g: (_rank(g.difference), -len(g.places), g.places[0])))


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The lines that both begin with."""
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return one[:length]


def _rank(difference: Difference) -> int:
    if isinstance(difference, Fact):
        return 4 if difference.name == "path" else 0
    if isinstance(difference, Hunk):
        return 2 if difference.whole else 1
    return 3
