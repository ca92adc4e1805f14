"""One thing wrong with one file, said for its author."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Where, what, and what to do about it. Lines and columns count from 1; 0 is unknown."""

    path: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = self.path + (f":{self.line}" if self.line else "") + (f":{self.column}" if self.column else "")
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class UnreadableProfile(Exception):
    """A file that makes no document, and every reason why."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems
