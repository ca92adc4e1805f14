"""One thing wrong with one file, said for its author."""

import re
from dataclasses import dataclass, field

RULES = {
    "unknown-key": "A key that no file of this kind has",
    "broken-yaml": "A file that is no YAML, or more than data",
    "wrong-value": "A value that its key does not take, or that its document cannot hold",
    "duplicate-key": "Two files for one profile",
    "alias": "An alias that names nothing",
    "extends": "Bases that are not there, or come back to themselves",
    "variants": "A variant that no phone gets",
    "template": "A template that is not there, or cannot be read or filled",
    "missing-file": "A file under files/ that is not there",
    "no-document": "Nothing says what the document is made of",
    "path": "A path that names no profile, or leaves the tree",
    "decoy": "A profile of a MAC that is a decoy",
    "forbidden-file": "A file that a profile repository cannot have",
    "too-costly": "A file that takes too much time or memory",
    "problem": "Another reason for which a revision is not applied",
    "plaintext-credential": "A credential that everybody with the repository can read",
}
"""Rule ids: they stay as they are, since others file, silence and count by them."""


# Control characters but TAB, the line ends of Unicode, and bytes of a file name that are no UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` with escapes for what no UTF-8 stream can carry, a terminal would obey, or would begin another line.

    A line of a report that an author could begin is a command to whoever reads it, such as a CI runner (`::error`).
    """
    if _UNPRINTABLE.search(text) is None:
        return text
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Why a file cannot be used, and where in it. Problems sort as an author reads them: by file, line and column."""

    path: str
    """Inside the profiles folder; empty when it is about the commit."""
    line: int
    """Counted from 1; 0 when the whole file is meant."""
    column: int
    """Counted from 1; 0 when the whole line or file is meant."""
    message: str
    hint: str = ""
    rule: str = field(default="problem", compare=False)
    """The id of the rule that is broken, one of RULES."""

    def __post_init__(self) -> None:
        for name in ("path", "message", "hint"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        return (f"{place}: " if place else "") + self.message + (f" ({self.hint})" if self.hint else "")


class UnreadableProfile(Exception):
    """A file that cannot be read as what its name says; `problems` say why, all of them."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems
