"""One revision through named steps: known? load, guard, diff, append (design.md invariants I1, I2, I5)."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gitops_profile.eventlog import LogUnavailable, VersionConflict
from gitops_profile.loader import LOADER_VERSION, Problem
from gitops_profile.presentity import (
    PresentityEvent,
    ProblemRecord,
    ProfileAdded,
    ProfileChanged,
    ProfileKey,
    RepositoryRulesChanged,
    RevisionApplied,
    RevisionHeld,
    RevisionRejected,
    RevisionStamp,
    RevisionSuperseded,
)
from gitops_profile.source import PathNotFound, Revision, SourceUnavailable, VerificationUnavailable

from .differ import ProfileEvent, removals
from .guard import Rewrites, guard
from .journal import Draft, Journal
from .loading import Loaded, LoaderProcess, LoadStalled, Progress
from .preparing import Preparing
from .superseded import Between, BringsUrgent, IsAncestor, passed_over, rewritten, stamp_of, with_urgency
from .suspending import EVERYTHING, Suspending
from .trust import Trust
from .wire import path_text

logger = logging.getLogger(__name__)

MAX_PROBLEMS = 1000
"""Problems recorded of one revision; the rest is counted."""
_CHUNK = 200
"""Documents compared and encoded before the loop gets its turn: some milliseconds."""


class Verdict(StrEnum):
    """What became of a revision."""

    APPLIED = "applied"
    REJECTED = "rejected"
    HELD = "held"
    """It looks like a mistake, and waits for approval."""
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    """A newer one came before it was looked at."""
    SUSPENDED = "suspended"
    """Nothing is applied for now: it waits for `resume`."""
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
    storage: bool = False
    """Whether it waits for the log, and not for git."""
    unverified: bool = False
    """Whether it waits for what its signature is checked with, and not for git."""
    held_back: int = 0
    """Profiles that are not as the commit has them, because their application is suspended."""
    superseded: tuple[str, ...] = ()
    """Commits that have their verdict by this one: it went past them."""


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
        is_ancestor: IsAncestor,
        between: Between | None = None,
        brings_urgent: BringsUrgent | None = None,
        progress: Progress | None = None,
        rewrites: Rewrites = "allow",
        trust: Trust | None = None,
    ) -> None:
        self._journal = journal
        self._loading = loading
        self._ref = ref
        self._folder = path
        self._path = path_text(path)  # what can be recorded; the loader refuses a name that is no UTF-8
        self._on_changed = on_changed
        self._is_ancestor = is_ancestor
        self._between = between
        self._brings_urgent = brings_urgent
        self._progress = progress
        self._rewrites = rewrites
        self._trust = trust
        self.suspending = Suspending(journal, loading, path, self._path, on_changed)

    async def reconcile(self, revision: Revision, overtaken: Sequence[Revision] = ()) -> Outcome:
        """One revision; `overtaken` were seen before it and not looked at. It never raises for what an author, git or
        the disk did.
        """
        async with self.suspending.turn:
            try:
                return await self._reconcile(revision, overtaken)
            except (SourceUnavailable, LogUnavailable) as error:
                logger.error("revision waits rev=%s: %s", revision.commit[:12], error)
                storage = isinstance(error, LogUnavailable)
                unverified = isinstance(error, VerificationUnavailable)
                return Outcome(
                    Verdict.UNAVAILABLE, revision.commit, reason=str(error), storage=storage, unverified=unverified
                )

    async def _reconcile(self, revision: Revision, overtaken: Sequence[Revision]) -> Outcome:
        await self.suspending.prepare()
        if self.suspending.everything:
            return Outcome(Verdict.SUSPENDED, revision.commit, reason=EVERYTHING)
        if self._is_known(revision.commit) and not await self._has_other_keys():
            return await self._pass_by(revision, overtaken)
        if self._trust is not None:
            judged = await self._trust.judge(revision, self._journal.table)
            if judged.problems:
                history = await self._history(revision, overtaken)
                return await self._refuse(RevisionRejected, revision, judged.problems, history, judged.keys)
            revision = replace(revision, signer=judged.signer)
        preparing = Preparing(self._journal.table, stamp_of(revision))
        loaded = await self._load(revision, preparing)
        history = await self._history(revision, overtaken)
        if loaded.problems:
            return await self._refuse(RevisionRejected, revision, loaded.problems, history)
        guarded = await guard(
            self._journal.table, revision, loaded, self.suspending.held or {}, self._rewrites, self._is_ancestor
        )
        if guarded.refused:
            return await self._refuse(RevisionRejected, revision, guarded.refused, history)
        if guarded.held:
            return await self._refuse(RevisionHeld, revision, guarded.held, history)
        revision = await with_urgency(self._journal.table, revision, loaded.documents.values(), self._brings_urgent)
        while True:
            if self.suspending.everything:  # since it was loaded; such a load leaves no trace
                return Outcome(Verdict.SUSPENDED, revision.commit, reason=EVERYTHING)
            position = self._journal.position
            try:
                outcome = await self._apply(revision, loaded, history, preparing)
                break
            except VersionConflict:
                if self._journal.position == position:
                    raise  # not by the journal's own doing: trying again would not end
                continue  # something was suspended while this was decided
        await self._loading.accept()
        return outcome

    async def _history(self, revision: Revision, overtaken: Sequence[Revision]) -> list[PresentityEvent]:
        """What is noted with the verdict on a revision: that history was rewritten, and what it went past."""
        table = self._journal.table
        noted = await rewritten(table, revision, self._is_ancestor, self._ref)
        return [*noted, *await passed_over(table, revision, overtaken, self._between, self._ref)]

    async def _pass_by(self, revision: Revision, overtaken: Sequence[Revision]) -> Outcome:
        """A revision that has its verdict: only what was seen on the way to it still needs one."""
        passed = await passed_over(self._journal.table, revision, overtaken, None, self._ref)
        if passed:
            await self._journal.append(passed)
        return Outcome(Verdict.UNCHANGED, revision.commit, superseded=_commits(passed))

    async def warm_up(self) -> None:
        """Have the loader ready for a change of what is in force, as after a restart; never raises, as above."""
        async with self.suspending.turn:
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
        known = same and self.suspending.held is not None
        return applied.revision.commit if applied is not None and known else None

    def knows(self, commit: str) -> bool:
        """Whether a look at this commit will change nothing: it has its verdict, and no signature has to do with it."""
        return self._trust is None and self._is_known(commit)

    def _is_known(self, commit: str) -> bool:
        """Whether this very revision, read in this very way, was the last one that got a verdict (I2)."""
        table = self._journal.table
        known = table.rejected or table.held or table.applied
        approved = table.approved is not None and table.approved.commit == commit
        return (
            not approved
            and known is not None
            and (known.revision.commit, known.path, known.loader_version) == (commit, self._path, LOADER_VERSION)
        )

    async def _has_other_keys(self) -> bool:
        """Whether the signature for which the last revision was rejected may count by now."""
        rejected = self._journal.table.rejected
        if rejected is None or rejected.keys is None:
            return False
        return self._trust is None or await self._trust.judges_anew(rejected)

    async def _load(self, revision: Revision, preparing: Preparing) -> Loaded:
        """What the revision holds; one that cannot be loaded for its author's fault is a load with a problem."""
        try:
            return await self._loading.load(
                revision.commit, self._base(), self._folder, self._progress, preparing.begin
            )
        except LoadStalled as error:
            return Loaded(problems=(Problem(error.path, 0, 0, error.what, rule="too-costly"),))
        except PathNotFound as error:
            return Loaded(problems=(Problem(self._path, 0, 0, str(error), rule="path"),))

    async def _apply(
        self, revision: Revision, loaded: Loaded, history: Sequence[PresentityEvent], preparing: Preparing
    ) -> Outcome:
        """Raises VersionConflict when something else was recorded meanwhile."""
        position, stamp, table = self._journal.position, stamp_of(revision), self._journal.table
        now, held = await self.suspending.divide(loaded)
        draft = preparing.draft(stamp) if now is loaded else None
        if draft is None:
            draft = await self._drafted(now, stamp)
        gone = removals(now.documents, now.removed, table, stamp, whole=now.whole)
        added, changed, removed = draft.counts[ProfileAdded], draft.counts[ProfileChanged], len(gone)
        applied = RevisionApplied(stamp, self._ref, self._path, LOADER_VERSION, added, changed, removed, len(held))
        rules = []
        if now.rules != table.rules:
            rules = [RepositoryRulesChanged(now.rules, self._ref, stamp)]
        keys = await self._journal.append([*history, *rules], draft, [*gone, applied], decided_at=position)
        self.suspending.applied(revision.commit, held)
        logger.info(
            "revision applied rev=%s added=%d changed=%d removed=%d held_back=%d position=%d",
            revision.commit[:12], added, changed, removed, len(held), self._journal.position,
        )  # fmt: skip
        self._on_changed(keys)
        await self._journal.release()
        return Outcome(
            Verdict.APPLIED, revision.commit, added, changed, removed,
            held_back=len(held), superseded=_commits(history),
        )  # fmt: skip

    async def _drafted(self, loaded: Loaded, stamp: RevisionStamp) -> Draft:
        """What a load changes, when it could not be prepared as it came: what is suspended comes out otherwise."""
        position, documents = self._journal.position, list(loaded.documents.values())
        preparing = Preparing(self._journal.table, stamp)
        take = preparing.begin()
        for start in range(0, len(documents), _CHUNK):
            take(documents[start : start + _CHUNK])
            await asyncio.sleep(0)
        draft = preparing.draft(stamp)
        if draft is None:
            raise VersionConflict(position, self._journal.position)
        return draft

    async def _refuse(
        self,
        kind: type[RevisionRejected] | type[RevisionHeld],
        revision: Revision,
        problems: Sequence[Problem],
        history: Sequence[PresentityEvent],
        keys: str | None = None,
    ) -> Outcome:
        kept = list(problems[:MAX_PROBLEMS])
        if len(problems) > MAX_PROBLEMS:
            kept.append(Problem("", 0, 0, f"and {len(problems) - MAX_PROBLEMS} more problems"))
        records = tuple(
            ProblemRecord(p.path, p.line or None, p.column or None, p.message, p.hint or None) for p in kept
        )
        event = kind(stamp_of(revision), self._ref, self._path, LOADER_VERSION, records)
        if isinstance(event, RevisionRejected):
            event = replace(event, keys=keys)
        await self._journal.append([*history, event])
        verdict = Verdict.HELD if kind is RevisionHeld else Verdict.REJECTED
        logger.warning(
            "revision %s rev=%s problems=%d, first: %s; the last good revision stays in force",
            verdict, revision.commit[:12], len(problems), problems[0],
        )  # fmt: skip
        return Outcome(verdict, revision.commit, problems=tuple(problems), superseded=_commits(history))


def _commits(events: Sequence[PresentityEvent]) -> tuple[str, ...]:
    return tuple(event.revision.commit for event in events if isinstance(event, RevisionSuperseded))


__all__ = ["Outcome", "ProfileEvent", "Reconciler", "Verdict", "stamp_of"]
