"""One commit of the profile repository."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_PERSON = re.compile(rb"(?P<name>.*) (?P<time>\d+) [+-]\d{4}")
_TRAILER = re.compile(rb"[A-Za-z0-9-]+[ \t]*:.*|[ \t].*|\(cherry picked from commit .*")
_DELIVER_NOW = re.compile(rb"deliver[ \t]*:[ \t]*now[ \t]*", re.IGNORECASE)
MAY_BE_URGENT = "^deliver[[:space:]]*:[[:space:]]*now[[:space:]]*$"
"""For `git --grep`: whatever `is_urgent` takes for urgent has such a line."""
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Revision:
    """Which commit, and whose."""

    commit: str
    author: str
    """`Name <mail>`."""
    committer: str
    committed_at: str
    """ISO 8601, UTC, ends in Z."""
    message: str
    """The first line."""
    tree: str
    """The tree of the whole repository at this commit."""
    signer: str | None = None
    parent: str | None = None
    """The first parent; None for a first commit."""
    urgent: bool = False
    """Whether the trailer `Deliver: now` stands in its message."""


def parse_commit(commit: str, data: bytes) -> Revision:
    """The revision that a commit object describes; fields that are damaged come out empty, never as an error."""
    head, _, message = data.partition(b"\n\n")
    fields: dict[bytes, bytes] = {}
    lines = head.split(b"\n")
    for line in lines:
        name, _, value = line.partition(b" ")
        fields.setdefault(name, value)
    author, _ = _person(fields.get(b"author", b""))
    committer, committed_at = _person(fields.get(b"committer", b""))
    first_line = message.decode("utf-8", "replace").strip().partition("\n")[0][:200]
    tree = fields.get(b"tree", b"").decode("ascii", "replace")
    # Where git looks for it: one behind another header is none.
    name, _, parent = lines[1].partition(b" ") if len(lines) > 1 else (b"", b"", b"")
    has_parent = name == b"parent"
    return Revision(
        commit, author, committer, committed_at, first_line, tree,
        parent=parent.decode("ascii", "replace") if has_parent else None, urgent=is_urgent(message),
    )  # fmt: skip


def is_urgent(message: bytes) -> bool:
    """Whether a commit message has the trailer `Deliver: now`.

    Trailers are the last paragraph, when it is nothing else; a sentence about them, or the title, is none.
    """
    paragraphs = re.split(rb"\n\s*\n", message.strip().replace(b"\r\n", b"\n"))
    lines = paragraphs[-1].split(b"\n") if len(paragraphs) > 1 else []
    return all(map(_TRAILER.fullmatch, lines)) and any(map(_DELIVER_NOW.fullmatch, lines))


def _person(value: bytes) -> tuple[str, str]:
    match = _PERSON.fullmatch(value)
    if match is None:
        return value.decode("utf-8", "replace"), EPOCH
    try:
        when = datetime.fromtimestamp(int(match["time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        when = EPOCH
    return match["name"].decode("utf-8", "replace"), when
