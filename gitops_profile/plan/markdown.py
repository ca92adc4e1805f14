"""A plan as a comment on a pull request.

Whatever comes from a document, a file's name or a problem stands in a code fence longer than any run of its character
in it. So no text of a document is markdown, HTML, a mention or a reference.
"""

import re
from collections.abc import Iterator, Sequence

from gitops_profile.loader import Problem

from .comparison import Change, ProfileChange
from .grouping import Place, Plan
from .outlook import NOTHING_KNOWN, Outlook
from .telling import telling
from .wording import body_lines, effects, heading, held, place_name, shown, summary, ways

MAX_MARKDOWN = 65_000
"""Bytes of UTF-8, and so characters as well: GitHub takes 65 536 characters, and the rest is the caller's."""
MARKER = "<!-- gitops-profile plan -->"
"""The first line, by which a workflow finds its own comment again."""
_RESERVED = 300
"""Bytes for what the last lines say."""
_MAX_PLACES = 20
_MAX_LISTED = 100
_HELD = "The server would hold this until somebody approves it"
_TICKS = re.compile("`+")


def as_markdown(
    plan: Plan[ProfileChange],
    problems: Sequence[Problem] = (),
    outlook: Outlook = NOTHING_KNOWN,
    *,
    limit: int = MAX_MARKDOWN,
) -> str:
    """At most `limit` bytes, at least 1000 of them: what does not fit is left out in whole blocks, and counted."""
    title = f"**{_count(len(problems), 'problem')}: this cannot be applied**" if problems else summary(plan, outlook)
    parts = [f"{MARKER}\n### Profile plan\n\n{title}\n"]
    room = max(limit, 1000) - len(parts[0].encode()) - _RESERVED
    left_out = 0
    notes = [_fenced("", [f"note: {shown(note)}" for note in outlook.notes])] if outlook.notes else []
    notes += [f"\n**{_HELD}**\n{_fenced('', [held(outlook)])}"] if outlook.held else []
    for block in (*notes, *(_problem_blocks(problems) if problems else _blocks(plan, outlook))):
        size = len(block.encode())
        if size > room:
            left_out += 1
            continue
        room -= size
        parts.append(block)
    if left_out:
        parts.append(f"\n{_count(left_out, 'more block')} did not fit here: see `gitops-profile plan`.\n")
    return "".join(parts)


def _problem_blocks(problems: Sequence[Problem]) -> Iterator[str]:
    """Each by itself, so that as many as possible fit."""
    for problem in problems:
        yield _fenced("", [shown(str(problem))])


def _blocks(plan: Plan[ProfileChange], outlook: Outlook) -> Iterator[str]:
    for kind in (Change.REMOVED, Change.ADDED):
        keys = [change.key for change in plan.changes if change.change is kind]
        for start in range(0, len(keys), _MAX_LISTED):
            names = [place_name(Place(key, ""), outlook) for key in keys[start : start + _MAX_LISTED]]
            yield f"\n**{kind}**\n{_fenced('', names)}"
    for group in plan.groups:
        names = _names(group.places, outlook)
        yield f"\n**{heading(group)}**\n{_fenced('diff', list(body_lines(group)))}{_folded(names)}"
    for text, places in (*ways(plan), *effects(plan, outlook), *telling(plan, outlook)):
        yield f"\n{_count(len(places), 'document')}, {text}\n{_folded(_names(places, NOTHING_KNOWN))}"


def _names(places: Sequence[Place], outlook: Outlook) -> list[str]:
    names = [place_name(place, outlook) for place in places[:_MAX_PLACES]]
    return names + ([f"… and {len(places) - _MAX_PLACES} more"] if len(places) > _MAX_PLACES else [])


def _folded(names: Sequence[str]) -> str:
    return f"\n<details><summary>which</summary>\n{_fenced('', names)}\n</details>\n"


def _fenced(language: str, lines: Sequence[str]) -> str:
    """A code block that none of its lines can end; no line of it holds a line end."""
    longest = max((len(run) for line in lines for run in _TICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"\n{fence}{language}\n" + "".join(f"{line}\n" for line in lines) + f"{fence}\n"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
