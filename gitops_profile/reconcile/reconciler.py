"""One revision through named steps: known? load, guard, diff, append (design.md invariants I1, I2, I5)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gitops_profile.eventlog import LogUnavailable
from gitops_profile.loader import LOADER_VERSION, Problem
from gitops_profile.presentity import (
    HistoryRewritten,
    PresentityEvent,
    ProblemRecord,
    ProfileAdded,
    ProfileChanged,
    ProfileKey,
    ProfileRemoved,
    RevisionApplied,
    RevisionRejected,
    RevisionStamp,
)
from gitops_profile.source import PathNotFound, Revision, SourceUnavailable

from .differ import ProfileEvent, diff
from .journal import Journal
from .loading import Loaded, LoaderProcess, LoadStalled, Progress
from .wire import path_text

logger = logging.getLogger(__name__)

MAX_PROBLEMS = 1000
"""Problems recorded of one revision; the rest is counted."""


class Verdict(StrEnum):
    """What became of a revision."""

    APPLIED = "applied"
    REJECTED = "rejected"
    UNCHANGED = "unchanged"
    UNAVAILABLE = "unavailable"
    """Git or the log could not be used: wait and try again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a revision, and how much it changed."""

    verdict: Verdict
    commit: str
    added: int = 0
    changed: int = 0
    removed: int = 0
    problems: tuple[Problem, ...] = ()
    reason: str = ""


class Reconciler:
    """Brings the journal to what a revision says."""

    def __init__(
        self,
        journal: Journal,
        loading: LoaderProcess,
        *,
        ref: str,
        path: str,
        on_changed: Callable[[Sequence[ProfileKey]], None],
        is_ancestor: Callable[[str, str], Awaitable[bool]],
        progress: Progress | None = None,
    ) -> None:
        self._journal = journal
        self._loading = loading
        self._ref = ref
        self._folder = path
        self._path = path_text(path)  # what can be recorded; the loader refuses a name that is no UTF-8
        self._on_changed = on_changed
        self._is_ancestor = is_ancestor
        self._progress = progress

    async def reconcile(self, revision: Revision) -> Outcome:
        """One revision. It never raises for what an author, git or the disk did."""
        if self._is_known(revision):
            return Outcome(Verdict.UNCHANGED, revision.commit)
        try:
            loaded = await self._load(revision)
            problems = loaded.problems or self._guard(loaded)
            if problems:
                return await self._reject(revision, problems)
            outcome = await self._apply(revision, loaded)
            await self._loading.accept()
        except (SourceUnavailable, LogUnavailable) as error:
            logger.error("revision waits rev=%s: %s", revision.commit[:12], error)
            return Outcome(Verdict.UNAVAILABLE, revision.commit, reason=str(error))
        return outcome

    async def warm_up(self) -> None:
        """Have the loader ready for a change of what is in force, as after a restart; never raises, as above."""
        base = self._base()
        if base is None:
            return
        try:
            await self._loading.warm_up(base, self._folder)
        except (SourceUnavailable, PathNotFound, LoadStalled) as error:
            logger.info("the next change takes as long as a load of everything: %s", error)

    def _base(self) -> str | None:
        """The commit in force, when it was loaded in the way in which the next one will be."""
        applied = self._journal.table.applied
        same = applied is not None and (applied.path, applied.loader_version) == (self._path, LOADER_VERSION)
        return applied.revision.commit if applied is not None and same else None

    def _is_known(self, revision: Revision) -> bool:
        """Whether this very revision, read in this very way, was the last one applied or rejected (I2)."""
        known = self._journal.table.rejected or self._journal.table.applied
        return known is not None and (known.revision.commit, known.path, known.loader_version) == (
            revision.commit,
            self._path,
            LOADER_VERSION,
        )

    async def _load(self, revision: Revision) -> Loaded:
        """What the revision holds; one that cannot be loaded for its author's fault is a load with a problem."""
        try:
            return await self._loading.load(revision.commit, self._base(), self._folder, self._progress)
        except LoadStalled as error:
            return Loaded(problems=(Problem(error.path, 0, 0, error.what),))
        except PathNotFound as error:
            return Loaded(problems=(Problem(self._path, 0, 0, str(error)),))

    def _guard(self, loaded: Loaded) -> tuple[Problem, ...]:
        """Too many removals at once are more likely a mistake than a wish (I5)."""
        table = self._journal.table
        gone = loaded.removed
        if loaded.whole:
            gone = frozenset(document.key for document in table if document.key not in loaded.documents)
        # What is found as an alias from now on is not lost; before version 3 of the loader every alias was a document.
        removed = len(gone.difference(alias for document in loaded.documents.values() for alias in document.aliases))
        problem = loaded.settings.too_many_removed(removed, len(table))
        return () if problem is None else (problem,)

    async def _apply(self, revision: Revision, loaded: Loaded) -> Outcome:
        stamp = stamp_of(revision)
        # In a thread: comparing 100 000 documents takes a while, and only this task changes the table (I8).
        changes = await asyncio.to_thread(
            diff, loaded.documents, loaded.removed, self._journal.table, stamp, whole=loaded.whole
        )
        counts = {
            kind: sum(isinstance(c, kind) for c in changes) for kind in (ProfileAdded, ProfileChanged, ProfileRemoved)
        }
        added, changed, removed = counts.values()
        applied = RevisionApplied(stamp, self._ref, self._path, LOADER_VERSION, added, changed, removed)
        keys = await self._journal.append([*await self._rewritten(revision), *changes, applied])
        logger.info(
            "revision applied rev=%s added=%d changed=%d removed=%d position=%d",
            revision.commit[:12], added, changed, removed, self._journal.position,
        )  # fmt: skip
        self._on_changed(keys)
        return Outcome(Verdict.APPLIED, revision.commit, added, changed, removed)

    async def _rewritten(self, revision: Revision) -> list[PresentityEvent]:
        """A note for people when the ref left its history (reset, force-push)."""
        applied = self._journal.table.applied
        if applied is None or await self._is_ancestor(applied.revision.commit, revision.commit):
            return []
        return [HistoryRewritten(self._ref, applied.revision.commit, revision.commit)]

    async def _reject(self, revision: Revision, problems: Sequence[Problem]) -> Outcome:
        kept = list(problems[:MAX_PROBLEMS])
        if len(problems) > MAX_PROBLEMS:
            kept.append(Problem("", 0, 0, f"and {len(problems) - MAX_PROBLEMS} more problems"))
        records = tuple(
            ProblemRecord(p.path, p.line or None, p.column or None, p.message, p.hint or None) for p in kept
        )
        rejected = RevisionRejected(stamp_of(revision), self._ref, self._path, LOADER_VERSION, records)
        await self._journal.append([rejected])
        logger.warning(
            "revision rejected rev=%s problems=%d, first: %s; the last good revision stays in force",
            revision.commit[:12], len(problems), problems[0],
        )  # fmt: skip
        return Outcome(Verdict.REJECTED, revision.commit, problems=tuple(problems))


def stamp_of(revision: Revision) -> RevisionStamp:
    """What the log keeps of a revision."""
    return RevisionStamp(
        revision.commit, revision.author, revision.committer, revision.committed_at, revision.message, revision.signer
    )


__all__ = ["Outcome", "ProfileEvent", "Reconciler", "Verdict", "stamp_of"]
