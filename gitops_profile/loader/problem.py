"""One thing wrong with one file, said for its author."""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Self


def printable(text: str) -> str:
    """`text` with what no UTF-8 stream can carry (bytes of a file name that are no UTF-8) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def did_you_mean(word: str, known: list[str] | tuple[str, ...]) -> str | None:
    """A hint naming the known word that `word` was probably meant to be, or None."""
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file cannot be used, and where in it."""

    path: str
    """Inside the profiles folder; empty while the file is known by its content only."""
    line: int | None
    """Counted from 1; None when the whole file is meant."""
    column: int | None
    """Counted from 1."""
    message: str
    hint: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", printable(self.path))
        object.__setattr__(self, "message", printable(self.message))

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")

    def at(self, path: str) -> Self:
        """The same problem, in the file `path`."""
        return replace(self, path=path)

    def order(self) -> tuple[str, int, int, str]:
        """Sorts problems as an author reads them: by file, line and column."""
        return self.path, self.line or 0, self.column or 0, self.message


class UnreadableProfile(Exception):
    """A file that cannot be read as what its name says; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def unreadable(message: str, line: int | None = None, column: int | None = None, hint: str | None = None) -> (
    UnreadableProfile
):
    """An UnreadableProfile whose path is not known yet."""
    return UnreadableProfile(Problem("", line, column, message, hint))
