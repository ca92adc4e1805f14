"""What one commit has in its history and another one has not, by nothing but the commits themselves."""

from collections.abc import Callable

import git

from .errors import SourceUnavailable
from .revision import MAY_BE_URGENT, is_urgent

_AS_IT_IS = {"GIT_SHALLOW_FILE": "", "GIT_ALLOW_PROTOCOL": "none"}
"""That file would make a commit have no parents, and what is missing is not to be had from where the repository's
settings say. Grafts and replaced commits are kept away by the repository's own
environment.
"""

MAX_URGENT = 100
"""Commits with such a line that are looked at: one whose line is a trailer is enough."""


def unseen_commits(
    commands: git.Git, old: str | None, new: str, limit: int, said: Callable[[git.GitCommandError], str]
) -> list[tuple[str, tuple[str, ...]]]:
    """At most `limit` of the commits with their parents, the newest first; raises SourceUnavailable."""
    known = [f"^{old}"] if old is not None else []
    command = ["git", "-c", "core.commitGraph=false", "rev-list", "--parents", f"--max-count={limit}", new, *known]
    try:
        out = commands.execute(command, env=_AS_IT_IS)
    except git.GitCommandError as error:
        raise SourceUnavailable(f"the history of {new[:12]} is not complete: {said(error)}") from error
    rows = (line.split() for line in str(out).splitlines())
    return [(commit, tuple(parents)) for commit, *parents in rows]


def brings_urgent(commands: git.Git, old: str, new: str, said: Callable[[git.GitCommandError], str]) -> bool:
    """Whether a commit that the new one has in its history, and the old one has not, has the trailer `Deliver: now`.

    Raises SourceUnavailable where that history is not there, as when the old one is gone.
    """
    grep = ("--basic-regexp", "--regexp-ignore-case", f"--grep={MAY_BE_URGENT}", f"--max-count={MAX_URGENT}")
    command = ["git", "-c", "core.commitGraph=false", "rev-list", "--format=%B%x00", *grep, new, f"^{old}"]
    try:
        out = commands.execute(command, env=_AS_IT_IS, stdout_as_string=False)
    except git.GitCommandError as error:
        raise SourceUnavailable(f"the history of {new[:12]} is not complete: {said(error)}") from error
    assert isinstance(out, bytes), "as asked for"
    return any(map(is_urgent, out.split(b"\0")))  # each behind a line with its id, which makes no paragraph
