"""Which commit last changed a line."""

import re
from collections.abc import Collection

import git

from .errors import SourceUnavailable

MAX_RANGES = 500
"""Lines that are asked for one by one; for more of them the whole file is looked at."""
_LINE = re.compile(rb"([0-9a-f]{40,64}) \d+ (\d+)(?: \d+)?")


def blame_lines(run: git.Git, commit: str | None, path: str, lines: Collection[int]) -> dict[int, str | None]:
    """The commit of each line, None for one that is not committed.

    `commit` None means the file as it is in the work tree. Lines count from 1; what the file does not have is left out.
    Raises SourceUnavailable.
    """
    if not lines:
        return {}
    ranges = [f"-L{line},{line}" for line in sorted(set(lines))] if len(lines) <= MAX_RANGES else []
    arguments = ["--porcelain", "--no-textconv", *ranges, *([commit] if commit is not None else []), "--", path]
    try:
        out = run.blame(*arguments, stdout_as_string=False)
    except git.GitCommandError as error:
        said = error.stderr.strip().removeprefix("stderr: '").removesuffix("'").strip().rpartition("\n")[2]
        if commit is None and ("no such path" in said or "no such ref" in said):
            return dict.fromkeys(lines)  # a file that git does not know yet
        raise SourceUnavailable(f"git blame of {path} failed: {said}") from error
    found = [match for row in out.split(b"\n") if (match := _LINE.fullmatch(row)) is not None]
    commits = {int(match[2]): match[1].decode() for match in found}
    return {line: commits[line] if commits[line].strip("0") else None for line in lines if line in commits}
