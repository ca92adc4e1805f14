"""`wait`: until a revision is in force, its phones are told, or they have acknowledged it.

A plain callable for the admin socket and for HTTP. It looks again and again; nothing is kept for whoever waits.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_profile.http import AdminError, Handler
from gitops_profile.presentity import ProfileKey, RevisionApplied
from gitops_profile.reconcile import Journal
from gitops_profile.source import NotARepository, SourceUnavailable
from gitops_profile.subscriptions import StoreUnavailable

from .follower import Follower
from .holding import Held
from .rollout import Progress, Rollouts
from .stage import Goal, Phone, Stage

if TYPE_CHECKING:
    from gitops_profile.source import Repository

LONGEST = 30.0
"""Seconds that one request waits at most; whoever wants to wait longer asks again."""
LOOK_EVERY = 0.1
LOOK_LATER = 0.5
"""Seconds between looks: at first, and when it takes longer."""
MAX_REMEMBERED = 1000
_SHORT = re.compile(r"[0-9a-f]{4,64}")
_COUNTED = ("planned", "notified", "acknowledged", "fetched", "unreachable", "pending", "gone", "phones")
REFUSED = ("rejected", "held")


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What became of the revision that is asked for."""

    verdict: str
    """applied, superseded, rejected, held, waiting; unknown when there is no such commit (yet)."""
    revision: str
    counted: str | None = None
    """The commit whose phones count: the revision itself, or the newer one that contains it."""
    reasons: tuple[str, ...] = ()


class Waiting:
    """Answers how far a revision has come."""

    def __init__(
        self,
        rollouts: Rollouts,
        journal: Journal,
        follower: Follower,
        git_dir: Callable[[], Path],
        nudge: Callable[[], None],
        held: Callable[[ProfileKey], Held | None],
    ) -> None:
        """`git_dir` is where the commits are; `nudge` has somebody look for new ones now; `held` says which phones wait
        for a maintenance window.
        """
        self._held = held
        self._rollouts = rollouts
        self._journal = journal
        self._follower = follower
        self._git_dir = git_dir
        self._nudge = nudge
        self._git = asyncio.Lock()
        """A Repository is not for two at once."""
        self._contained: dict[tuple[str, str], bool] = {}

    def handlers(self) -> dict[str, Handler]:
        """For the admin socket."""
        return {"wait": self.wait}

    async def wait(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Wait for `revision` (also abbreviated) to be `for` (a Goal), at most `timeout` seconds, LONGEST at most.

        `reached` says whether it is so; `final` that waiting on will not help. Raises AdminError.
        """
        revision, goal, seconds = _asked(parameters)
        end, pause = time.monotonic() + seconds, LOOK_EVERY
        nudged = False
        while True:
            began = time.monotonic()
            answer = await self._look(revision, goal)
            took = time.monotonic() - began
            if answer["final"] or time.monotonic() >= end:
                return answer
            if answer["verdict"] == "unknown" and not nudged:
                nudged = True
                self._nudge()
            # With very many phones a look is work: at most half of the time goes to whoever waits.
            await asyncio.sleep(max(0.0, min(max(pause, took), end - time.monotonic())))
            pause = min(LOOK_LATER, pause * 1.2)

    async def _look(self, asked: str, goal: Goal) -> dict[str, Any]:
        verdict = await self._judge(asked)
        try:
            progress = await self._rollouts.progress(verdict.counted) if verdict.counted is not None else None
        except StoreUnavailable as error:
            raise AdminError(str(error)) from error
        reached = verdict.counted is not None and (goal is Goal.APPLIED or _is_reached(progress, goal))
        return {
            "revision": verdict.revision,
            "verdict": verdict.verdict,
            "counted": verdict.counted,
            "reasons": list(verdict.reasons),
            "for": str(goal),
            "reached": reached,
            "final": reached or verdict.verdict in REFUSED,
            **_counts(progress, self._held),
        }

    # -- what became of it -----------------------------------------------------------------------------------------

    async def _judge(self, asked: str) -> _Verdict:
        table = self._journal.table
        known = [*([table.applied.revision.commit] if table.applied else []), *self._rollouts.revisions()]
        short = _SHORT.fullmatch(asked) is not None
        for revision in known if short else ():
            if revision.startswith(asked):
                return _Verdict("applied", revision, revision)
        refused = self._refused()
        if refused is not None and short and refused.revision.startswith(asked):
            return refused
        commit = await self._resolve(asked)
        if commit is None:
            return _Verdict("unknown", asked)
        if commit in known:
            return _Verdict("applied", commit, commit)
        newer = await self._newer(commit, table.applied)
        if newer is not None:
            reason = f"the newer revision {newer[:12]} contains it and came into force instead"
            return _Verdict("superseded", commit, newer, (reason,))
        if refused is not None and await self._contains(refused.revision, commit):
            reasons = refused.reasons
            if commit != refused.revision:
                first = f"the newer revision {refused.revision[:12]}, which contains it, is {refused.verdict}"
                reasons = (first, *reasons)
            return _Verdict(refused.verdict, commit, None, reasons)
        why = self._follower.waiting
        return _Verdict("waiting", commit, None, (why,) if why else ())

    def _refused(self) -> _Verdict | None:
        """The newest revision that was looked at, when it did not come into force and somebody must act."""
        table = self._journal.table
        held = table.held if table.approved is None else None
        for verdict, event in (("rejected", table.rejected), ("held", held)):
            if event is not None:
                return _Verdict(verdict, event.revision.commit, None, tuple(map(str, event.problems)))
        return None

    async def _newer(self, commit: str, applied: RevisionApplied | None) -> str | None:
        """The oldest known revision in force that contains the commit."""
        if applied is None or not await self._contains(applied.revision.commit, commit):
            return None
        found = applied.revision.commit
        for older in self._rollouts.revisions():
            if not await self._contains(older, commit):
                break
            found = older
        return found

    # -- git -------------------------------------------------------------------------------------------------------

    async def _resolve(self, asked: str) -> str | None:
        found: str | None = await self._ask_git(lambda repository: repository.rev_parse(asked))
        return found

    async def _contains(self, commit: str, older: str) -> bool:
        if commit == older:
            return True
        pair = (older, commit)
        if pair not in self._contained:
            if len(self._contained) >= MAX_REMEMBERED:
                self._contained.clear()
            self._contained[pair] = bool(await self._ask_git(lambda repository: repository.is_ancestor(*pair)))
        return self._contained[pair]

    async def _ask_git(self, question: Callable[[Repository], Any]) -> Any:
        """None when git cannot say now."""

        def ask() -> Any:
            from gitops_profile.source import Repository  # with GitPython

            repository = Repository(self._git_dir())
            try:
                return question(repository)
            finally:
                repository.close()

        async with self._git:
            try:
                return await asyncio.to_thread(ask)
            except (NotARepository, SourceUnavailable):
                return None


def _asked(parameters: dict[str, Any]) -> tuple[str, Goal, float]:
    revision, seconds = parameters.get("revision"), parameters.get("timeout", 0)
    if not isinstance(revision, str) or not revision.strip() or revision.startswith("-") or len(revision) > 200:
        raise AdminError("revision must name a commit")
    if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise AdminError("timeout must be a number of seconds")
    try:
        goal = Goal(parameters.get("for", Goal.ACKNOWLEDGED))
    except ValueError as error:
        raise AdminError(f"for must be one of {', '.join(Goal)}") from error
    return revision.strip(), goal, min(float(seconds), LONGEST)


def _is_reached(progress: Progress | None, goal: Goal) -> bool:
    """Whether all have it who are still there; whoever left before it was his turn is nobody to wait for."""
    if progress is None:
        return False
    open_stages = [Stage.PENDING, Stage.UNREACHABLE]
    if goal in (Goal.ACKNOWLEDGED, Goal.FETCHED):
        open_stages += [Stage.NOTIFIED] if goal is Goal.ACKNOWLEDGED else [Stage.NOTIFIED, Stage.HEARD]
        return not any(progress.counts[stage] for stage in open_stages)
    return progress.told + progress.counts[Stage.GONE] >= progress.planned


def _counts(progress: Progress | None, held: Callable[[ProfileKey], Held | None]) -> dict[str, Any]:
    """Null while the phones are not known."""
    if progress is None:
        return dict.fromkeys(_COUNTED)
    counts = progress.counts
    return {
        "planned": progress.planned,
        "notified": progress.told,
        "acknowledged": counts[Stage.ACKNOWLEDGED] + counts[Stage.HEARD] + counts[Stage.FETCHED],
        "fetched": counts[Stage.ACKNOWLEDGED] + counts[Stage.FETCHED],
        "unreachable": counts[Stage.UNREACHABLE],
        "pending": counts[Stage.PENDING] + counts[Stage.NOTIFIED],
        "gone": counts[Stage.GONE],
        "phones": {
            str(stage): [
                {**asdict(phone), "held": _held_facts(phone, held) if stage is Stage.PENDING else None}
                for phone in phones
            ]
            for stage, phones in progress.phones.items()
        },
    }


def _held_facts(phone: Phone, held: Callable[[ProfileKey], Held | None]) -> dict[str, str | None] | None:
    """Why a phone was not told yet, and until when, when it waits for a maintenance window."""
    found = held(ProfileKey.parse(phone.key))
    return found.facts() if found is not None else None
