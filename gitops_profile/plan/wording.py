"""How a plan is said, in a terminal as in a pull request."""

import re
from collections.abc import Iterator, Mapping

from gitops_profile.presentity import ProfileKey

from .comparison import Change, ProfileChange
from .difference import Binary, Fact, Hunk, Way
from .grouping import Group, Place, Plan
from .masking import SECRET

MAX_LINES = 40
"""Lines of one side of a hunk that are shown."""
MAX_LINE = 240
"""Characters of one line that are shown."""
_KEPT = 40
"""Characters before the first difference of two long lines."""
# Control characters, among them those that end a line for CommonMark or a terminal, and those that turn text around.
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
WAYS = {
    Way.NOT_UDP: "more than the 1300 bytes of a NOTIFY over UDP: needs TCP, or a link",
    Way.LINK: "more than 4000 bytes, PJSIP's receive buffer: such phones need a link",
}


def shown(text: str) -> str:
    """`text` on one line, with escapes for what cannot be seen or would act on whoever shows it."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def summary(plan: Plan[ProfileChange], subscribed: Mapping[ProfileKey, int] | None) -> str:
    """One sentence of numbers."""
    counts = {kind: sum(change.change is kind for change in plan.changes) for kind in Change}
    text = ", ".join(f"{count} {kind}" for kind, count in counts.items()) + f" of {plan.profiles_before} profiles"
    silent = sum(not change.reaches_phones for change in plan.changes)
    if silent:
        text += f"; {silent} only moved, which no phone sees"
    if subscribed is not None:
        text += f"; {sum(subscribed.values())} phones are subscribed to them now"
    return text


def ways(plan: Plan[ProfileChange]) -> Iterator[tuple[str, tuple[Place, ...]]]:
    """What travels in a special way, and which documents do."""
    new = [
        (Place(change.key, part.variant), part)
        for change in plan.changes
        for part in change.parts
        if part.change is not Change.REMOVED
    ]
    for way, text in WAYS.items():
        places = tuple(place for place, part in new if part.way is way)
        if places:
            yield text, places
    protected = tuple(place for place, part in new if part.shown.sensitive)
    if protected:
        yield "sensitive: travels over TLS, or as an https link", protected


def count_of(group: Group) -> str:
    """How many profiles a group is about: "31 devices", "1 user, 2 networks"."""
    names = {"device": "device", "user": "user", "local-network": "network"}
    keys = {place.key for place in group.places}
    counts = {word: sum(key.profile_type == kind for key in keys) for kind, word in names.items()}
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items() if count)


def place_name(place: Place, subscribed: Mapping[ProfileKey, int] | None) -> str:
    """A profile, with the variant, the line and who is subscribed."""
    text = shown(str(place.key))
    if place.variant:
        text += f" [{shown(place.variant)}]"
    if place.line:
        text += f" line {place.line}"
    if subscribed is not None:
        text += f" ({subscribed.get(place.key, 0)} subscribed)"
    return text


def heading(group: Group) -> str:
    """What a group is about; only fixed words and numbers."""
    match group.difference:
        case Hunk(whole=True):
            return f"{count_of(group)}, new"
        case _:
            return count_of(group)


def body_lines(group: Group) -> Iterator[str]:
    """The difference as lines of a diff: each begins with a space, `-` or `+`, and holds no line end."""
    match group.difference:
        case Fact(name, before, after):
            if before is not None:
                yield f"- {name}: {_clipped(shown(before), 0)}"
            if after is not None:
                yield f"+ {name}: {_clipped(shown(after), 0)}"
        case Hunk(removed, added):
            yield from _around(group.before)
            start = _first_difference(removed, added)
            yield from _side("-", removed, start)
            yield from _side("+", added, start)
            yield from _around(group.after)
        case Binary(old, new):
            for sign, side in (("-", old), ("+", new)):
                if side is not None:
                    yield f"{sign} {side[0]} bytes, sha256 {side[1]}…"
        case _:
            yield f"- {SECRET}"
            yield f"+ {SECRET}"


def _around(lines: tuple[str, ...]) -> Iterator[str]:
    return (f"  {_clipped(shown(line.removesuffix(chr(10))), 0)}" for line in lines)


def _side(sign: str, lines: tuple[str, ...], start: int) -> Iterator[str]:
    for line in lines[:MAX_LINES]:
        yield f"{sign} {_clipped(shown(line.removesuffix(chr(10))), start)}"
        if not line.endswith("\n"):
            yield f"{sign} (no line end here)"
    if len(lines) > MAX_LINES:
        yield f"{sign} … {len(lines) - MAX_LINES} more lines"


def _first_difference(removed: tuple[str, ...], added: tuple[str, ...]) -> int:
    """Where in the shown text to begin, so that two long lines do not look the same."""
    if len(removed) != 1 or len(added) != 1:
        return 0
    old, new = shown(removed[0]), shown(added[0])
    same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    return same - _KEPT if same + _KEPT > MAX_LINE else 0


def _clipped(text: str, start: int) -> str:
    cut = text[start : start + MAX_LINE]
    more = len(text) - start - len(cut)
    return ("…" if start else "") + cut + (f"… {more} more characters" if more > 0 else "")
