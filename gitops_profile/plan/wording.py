"""How a plan is said, in a terminal as in a pull request."""

import re
from collections.abc import Iterator

from gitops_profile.loader import SECRET

from .comparison import Change, PartChange, ProfileChange
from .difference import Binary, Fact, Hunk, Way
from .grouping import Group, Place, Plan
from .outlook import Outlook

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
    Way.PROTECTED: "sensitive: inside the NOTIFY over TLS only, else as an https link",
}
_REBOOT = {
    "allow": "a phone may be rebooted for it (notify.reboot: allow)",
    "never": "no phone is rebooted for it (notify.reboot: never)",
}


def shown(text: str) -> str:
    """`text` on one line, with escapes for what cannot be seen or would act on whoever shows it."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def held(outlook: Outlook) -> str:
    """Why the server would wait for somebody who approves."""
    return f"would be held: {shown(outlook.held)}"


def summary(plan: Plan[ProfileChange], outlook: Outlook) -> str:
    """One sentence of numbers."""
    counts = {kind: sum(change.change is kind for change in plan.changes) for kind in Change}
    text = ", ".join(f"{count} {kind}" for kind, count in counts.items()) + f" of {plan.profiles_before} profiles"
    silent = sum(not change.reaches_phones for change in plan.changes)
    if silent:
        text += f"; {silent} of them no phone sees"
    if outlook.phones is not None:
        subscribed, notified = (sum(m.values()) for m in (outlook.phones.subscribed, outlook.phones.notified))
        are = "phone is" if subscribed == 1 else "phones are"
        text += f"; {subscribed} {are} subscribed to them now, {notified} would be sent a NOTIFY"
    return text


def ways(plan: Plan[ProfileChange]) -> Iterator[tuple[str, tuple[Place, ...]]]:
    """What travels in a special way, and which documents do."""
    new = _given(plan)
    for way, text in WAYS.items():
        places = tuple(place for place, part in new if part.way is way)
        if places:
            yield text, places


def effects(plan: Plan[ProfileChange], outlook: Outlook) -> Iterator[tuple[str, tuple[Place, ...]]]:
    """What phones do about it, and which documents say so: by when it is in effect, and whether with a reboot."""
    new = _given(plan)
    for seconds in sorted({part.shown.effective_by for _, part in new if part.shown.effective_by is not None}):
        places = tuple(place for place, part in new if part.shown.effective_by == seconds)
        when = "at once" if seconds == 0 else f"within {seconds} s"
        yield f"a phone is asked to have it in effect {when} (effective_by: {seconds})", places
    for policy, text in _REBOOT.items():
        places = tuple(dict.fromkeys(Place(p.key, "") for p, _ in new if outlook.reboot.get(p.key) == policy))
        if places:
            yield text, places


def _given(plan: Plan[ProfileChange]) -> list[tuple[Place, PartChange]]:
    """What is given from now on."""
    return [
        (Place(change.key, part.variant), part)
        for change in plan.changes
        for part in change.parts
        if part.change is not Change.REMOVED
    ]


def count_of(group: Group) -> str:
    """How many profiles a group is about: "31 devices", "1 user, 2 networks"."""
    names = {"device": "device", "user": "user", "local-network": "network"}
    keys = {place.key for place in group.places}
    counts = {word: sum(key.profile_type == kind for key in keys) for kind, word in names.items()}
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items() if count)


def place_name(place: Place, outlook: Outlook) -> str:
    """A profile, with the variant, the line and who is subscribed."""
    text = shown(str(place.key))
    if place.variant:
        text += f" [{shown(place.variant)}]"
    if place.line:
        text += f" line {place.line}"
    if outlook.phones is not None:
        counts = (m.get(place.key, 0) for m in (outlook.phones.subscribed, outlook.phones.notified))
        text += " ({} subscribed, {} NOTIFYed)".format(*counts)
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
