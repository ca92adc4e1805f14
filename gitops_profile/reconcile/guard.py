"""What makes a revision wait for approval: it is well-formed, and looks like a mistake (pure but for what it asks)."""

from dataclasses import dataclass
from typing import Literal

from gitops_profile.loader import Problem
from gitops_profile.presentity import PresentityTable
from gitops_profile.source import Revision

from .loading import Loaded
from .superseded import IsAncestor
from .suspension import Changes

Rewrites = Literal["allow", "hold", "refuse"]


@dataclass(frozen=True, slots=True)
class Guarded:
    """What speaks against a revision."""

    refused: tuple[Problem, ...] = ()
    """It never comes into force."""
    held: tuple[Problem, ...] = ()
    """It comes into force when somebody approves it."""


async def guard(
    table: PresentityTable,
    revision: Revision,
    loaded: Loaded,
    held_back: Changes,
    rewrites: Rewrites,
    is_ancestor: IsAncestor,
) -> Guarded:
    """The guards of a revision that was loaded without problems; an approval opens those that hold it.

    `held_back` is what a suspension keeps from the revision in force.

    Raises SourceUnavailable.
    """
    history = await _rewritten(table, revision, rewrites, is_ancestor)
    if history and rewrites == "refuse":
        return Guarded(refused=history)
    if table.approved is not None and table.approved.commit == revision.commit:
        return Guarded()
    return Guarded(held=(*_removals(table, loaded, held_back), *history))


def _removals(table: PresentityTable, loaded: Loaded, held_back: Changes) -> tuple[Problem, ...]:
    """Too many removals at once are more likely a mistake than a wish (I5)."""
    gone = loaded.removed
    if loaded.whole:
        gone = frozenset(table.keys() - loaded.documents.keys())
    # A removal that waits for `resume` was counted with its own revision.
    gone = gone.difference(key for key, new in held_back.items() if new is None)
    if not gone:
        return ()  # before 100 000 documents are looked at for aliases
    # What is found as an alias from now on is not lost; before version 3 of the loader every alias was a document.
    removed = len(gone.difference(alias for document in loaded.documents.values() for alias in document.aliases))
    problem = loaded.settings.too_many_removed(removed, len(table), left=_left(table, loaded))
    return () if problem is None else (problem,)


def _left(table: PresentityTable, loaded: Loaded) -> int:
    """How many profiles there are after the load."""
    if loaded.whole:
        return len(loaded.documents)
    added = sum(key not in table for key in loaded.documents)
    return len(table) + added - sum(key in table for key in loaded.removed)


async def _rewritten(
    table: PresentityTable, revision: Revision, rewrites: Rewrites, is_ancestor: IsAncestor
) -> tuple[Problem, ...]:
    """A ref that left the revision in force took back what somebody had merged."""
    if rewrites == "allow" or table.applied is None:
        return ()
    old = table.applied.revision.commit
    if old in (revision.commit, revision.parent) or await is_ancestor(old, revision.commit):
        return ()
    what = f"the ref no longer contains {old[:12]}, which is in force: its history was rewritten"
    hint = "revert with a commit instead" + ("" if rewrites == "refuse" else ", or approve it")
    return (Problem("", 0, 0, what, hint),)
