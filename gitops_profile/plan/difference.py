"""What can differ in what one kind of phone gets of one profile."""

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gitops_profile.loader import masked_lines
from gitops_profile.presentity import Presentation

CONTEXT = 2
"""Unchanged lines shown before and after a hunk."""
MAX_COMPARED = 2_000
"""Lines between the first and the last difference that are compared with each other; more are one hunk."""
HEAD_BYTES = 700
"""About as much of a NOTIFY is not its body."""
UDP_BYTES, PJSIP_BYTES = 1_300, 4_000


class Way(StrEnum):
    """How a document can travel, by its size, or because it is sensitive."""

    ANY = "any"
    """Inside the NOTIFY, whatever carries it."""
    NOT_UDP = "tcp-or-link"
    """Over 1300 bytes, a NOTIFY leaves UDP (RFC 3261 §18.1.1)."""
    LINK = "link"
    """Larger than PJSIP's receive buffer: such phones never see it except as a link."""
    PROTECTED = "tls-or-https-link"
    """Sensitive: inside the NOTIFY over TLS only, else as an https link (RFC 6080 §5.2)."""


def way_of(shown: Presentation) -> Way:
    """The way of what a phone is given; of something sensitive it tells nothing of its size."""
    if shown.sensitive:
        return Way.PROTECTED
    notify = len(shown.body) + HEAD_BYTES if shown.body else 0
    if notify > PJSIP_BYTES:
        return Way.LINK
    return Way.NOT_UDP if notify > UDP_BYTES else Way.ANY


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about a document that is not its body; None where it says nothing."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that are replaced, each with its line end. What looks like a credential is `<secret>`."""

    removed: tuple[str, ...]
    added: tuple[str, ...]
    whole: bool = False
    """All of a document that was not there before."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A body that is no text: bytes and the beginning of the SHA-256 of each side, None where there is none."""

    before: tuple[int, str] | None
    after: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class Secret:
    """A body that is not shown because it is sensitive, before or after: all that is said is that it differs."""


Difference = Fact | Hunk | Binary | Secret


@dataclass(frozen=True, slots=True)
class Found:
    """One difference, and where in the new body."""

    difference: Difference
    line: int = 0
    """Counted from 1, in the new body; 0 where there are no lines."""
    before: tuple[str, ...] = ()
    """Unchanged lines just before it."""
    after: tuple[str, ...] = ()


def differences(before: Presentation, after: Presentation) -> Iterator[Found]:
    """What differs from one presentation to another of the same phones."""
    for name in ("content_type", "sensitive", "effective_by"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Found(Fact(name, _said(old), _said(new)))
    if before.body == after.body:
        return
    if before.sensitive or after.sensitive:
        yield Found(Secret())
        return
    old_lines, new_lines = lines_of(before.body), lines_of(after.body)
    if old_lines is None or new_lines is None:
        yield Found(Binary(_fingerprint(before.body), _fingerprint(after.body)))
    else:
        yield from _hunks(old_lines, new_lines)


def whole_body(presentation: Presentation) -> Iterator[Found]:
    """The body of a presentation that is new."""
    if not presentation.body or presentation.sensitive:
        return
    lines = lines_of(presentation.body)
    if lines is None:
        yield Found(Binary(None, _fingerprint(presentation.body)))
    else:
        yield Found(Hunk((), tuple(masked_lines(lines)), whole=True), 1)


def lines_of(body: bytes) -> list[str] | None:
    """The lines of a text, each with its line end; None when it is no text."""
    if b"\0" in body:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    lines = text.split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _hunks(old: list[str], new: list[str]) -> Iterator[Found]:
    """The replaced runs of lines. Most documents differ in one place: what is the same around it is cut off first."""
    start, limit = 0, min(len(old), len(new))
    while start < limit and old[start] == new[start]:
        start += 1
    end = 0
    while end < limit - start and old[-1 - end] == new[-1 - end]:
        end += 1
    old_end, new_end = len(old) - end, len(new) - end
    runs = [(start, old_end, start, new_end)]
    if 1 < max(old_end - start, new_end - start) <= MAX_COMPARED:
        matcher = difflib.SequenceMatcher(None, old[start:old_end], new[start:new_end])
        runs = [
            (start + i1, start + i2, start + j1, start + j2)
            for tag, i1, i2, j1, j2 in matcher.get_opcodes()
            if tag != "equal"
        ]
    shown_old, shown_new = masked_lines(old), masked_lines(new)
    edges = [0, *(j2 for _, _, _, j2 in runs)], [*(j1 for _, _, j1, _ in runs), len(new)]
    for number, (i1, i2, j1, j2) in enumerate(runs):
        before = shown_new[max(edges[0][number], j1 - CONTEXT) : j1]
        after = shown_new[j2 : min(edges[1][number + 1], j2 + CONTEXT)]
        hunk = Hunk(tuple(shown_old[i1:i2]), tuple(shown_new[j1:j2]))
        yield Found(hunk, j1 + 1, tuple(before), tuple(after))


def _fingerprint(body: bytes) -> tuple[int, str]:
    return len(body), hashlib.sha256(body).hexdigest()[:16]


def _said(value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else str(value)
