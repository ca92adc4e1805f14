"""The life of revisions, as it is told: conditions, lag, and what is suspended; and the words of operators about it."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gitops_profile.eventlog import LogUnavailable
from gitops_profile.http import AdminError, Handler
from gitops_profile.metrics import Metrics
from gitops_profile.reconcile import ALL, Journal, NoSuchScope, NotHeld, Suspending, Verdict, approve
from gitops_profile.source import RefTracker, SourceUnavailable

from . import views
from .conditions import Conditions, Facts, revision_text
from .follower import Follower

SHOWN = 20
"""How many `status` names: of the commits that were passed over, of the profiles that are held back."""


class Lifecycle:
    """What became of revisions, up to now."""

    def __init__(
        self, ref: str, journal: Journal, follower: Follower, tracker: RefTracker, suspending: Suspending,
        metrics: Metrics, *, alarm: Callable[[], str] = str, wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """`alarm` says what else a person should look at, or nothing."""
        self._ref = ref
        self._journal = journal
        self._follower = follower
        self._tracker = tracker
        self._suspending = suspending
        self._metrics = metrics
        self._alarm = alarm
        self._wall = wall
        self._conditions = Conditions()
        follower.on_outcome.append(lambda outcome: self.refresh())
        follower.on_seen.append(self.refresh)

    def handlers(self) -> dict[str, Handler]:
        """Of the admin socket."""
        return {"suspend": self._suspend, "resume": self._resume, "approve": self._approve}

    def status(self, behind: int) -> dict[str, Any]:
        """For `status`; `behind` is the number of phones that do not have the document in force."""
        table, follower = self._journal.table, self._follower
        found = self._conditions.update(self._facts(), self._now())
        in_force = table.applied.revision if table.applied is not None else None
        attempted = follower.last.commit if follower.last is not None else None
        since_commit = None
        if in_force is not None and follower.applied_at is not None:
            committed = datetime.fromisoformat(in_force.committed_at).timestamp()
            since_commit = round(max(0.0, follower.applied_at - committed), 3)
        return {
            "conditions": [condition.as_data() for condition in found],
            "lastAppliedRevision": revision_text(self._ref, in_force.commit if in_force else None),
            "lastAttemptedRevision": revision_text(self._ref, attempted),
            "lag": {
                "seconds": round(self.lag(), 3),
                "commit_to_applied": since_commit,
                "seen_to_applied": round(follower.took, 3) if follower.took is not None else None,
                "phones_behind": behind,
            },
            "held": self._held(),
            "suspended": [
                {"scope": event.scope, "by": event.by, "reason": event.reason, "since": event.at}
                for event in table.suspensions.values()
            ],
            "held_back": table.applied.held_back if table.applied is not None else 0,
            "held_back_profiles": sorted(map(str, self._suspending.held or ()))[:SHOWN],
            "superseded": self._superseded(),
            "rewritten": self._rewritten(),
        }

    def lag(self) -> float:
        """Seconds since the newest commit was seen, while it is not in force; else 0."""
        applied, seen_at = self._journal.table.applied, self._follower.seen_at
        if seen_at is None or (applied is not None and applied.revision.commit == self._follower.head_seen):
            return 0.0
        return max(0.0, self._wall() - seen_at)

    def refresh(self) -> None:
        """Note what changed, so that it is known since when; and say it in the metrics."""
        table, follower, metrics = self._journal.table, self._follower, self._metrics
        self._conditions.update(self._facts(), self._now())
        metrics.revision_lag.set(self.lag())
        metrics.suspended.set(len(table.suspensions))
        metrics.held_back.set(table.applied.held_back if table.applied is not None else 0)
        if follower.took is not None:
            metrics.revision_seconds.set(follower.took)

    async def watch(self) -> None:
        """Note what changes without anybody saying so, such as that git cannot be asked."""
        while True:
            self.refresh()
            await asyncio.sleep(1.0)

    def _held(self) -> dict[str, Any] | None:
        """The revision that waits for approval, or for its application once it is approved."""
        facts, approved = views.outcome(self._journal.table.held), self._journal.table.approved
        return None if facts is None else facts | {"approved_by": approved.by if approved is not None else None}

    def _superseded(self) -> dict[str, Any] | None:
        passed = self._journal.table.superseded
        if not passed:
            return None
        return {
            "by": passed[0].by,
            "count": len(passed) + passed[0].older,
            "commits": [event.revision.commit for event in passed[-SHOWN:]],
        }

    def _rewritten(self) -> dict[str, str] | None:
        """How history was rewritten on the way to what is in force or to the head."""
        left, applied = self._journal.table.left, self._journal.table.applied
        shown = (self._follower.head_seen, applied.revision.commit if applied is not None else None)
        if left is None or left.new_commit not in shown:
            return None
        return {"old": left.old_commit, "new": left.new_commit}

    def _facts(self) -> Facts:
        table, follower = self._journal.table, self._follower
        applied, rejected, held, last = table.applied, table.rejected, table.held, follower.last
        return Facts(
            ref=self._ref,
            head=follower.head_seen,
            gone=follower.gone,
            applied=applied.revision.commit if applied is not None else None,
            rejected=rejected.revision.commit if rejected is not None else None,
            problem=str(rejected.problems[0]) if rejected is not None and rejected.problems else "",
            unsigned=rejected is not None and rejected.keys is not None,
            held=held.revision.commit if held is not None and table.approved is None else None,
            held_reason=str(held.problems[0]) if held is not None and held.problems else "",
            waiting=(follower.waiting or "") if ALL not in table.suspensions else "",
            storage=last is not None and last.verdict is Verdict.UNAVAILABLE and last.storage,
            unverified=last is not None and last.verdict is Verdict.UNAVAILABLE and last.unverified,
            trouble=self._tracker.trouble,
            suspended=tuple(sorted(table.suspensions, key=lambda scope: (scope != ALL, scope))),
            held_back=applied.held_back if applied is not None else 0,
            alarm=self._alarm(),
        )

    def _now(self) -> str:
        return datetime.fromtimestamp(self._wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def _suspend(self, parameters: dict[str, Any]) -> dict[str, Any]:
        scope, reason = _text(parameters, "scope") or ALL, _text(parameters, "reason")
        try:
            event, fresh = await self._suspending.suspend(scope, parameters["by"], reason)
        except (NoSuchScope, LogUnavailable) as error:
            raise AdminError(str(error)) from error
        self.refresh()
        return {"scope": event.scope, "by": event.by, "reason": event.reason, "since": event.at, "changed": fresh}

    async def _resume(self, parameters: dict[str, Any]) -> dict[str, Any]:
        scope = _text(parameters, "scope") or ALL
        try:
            name, released = await self._suspending.resume(scope, parameters["by"])
        except (NoSuchScope, LogUnavailable) as error:
            raise AdminError(str(error)) from error
        except SourceUnavailable as error:
            raise AdminError(f"nothing was resumed: {error}") from error
        self._follower.again()
        self._tracker.nudge()
        self.refresh()
        still = sorted(self._journal.table.suspensions)
        return {"scope": name, "by": parameters["by"], "released": released, "still_suspended": still}

    async def _approve(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Let the held revision pass, and say what became of it."""
        try:
            held = await approve(self._journal, _text(parameters, "revision").strip().lower(), parameters["by"])
        except (NotHeld, LogUnavailable) as error:
            raise AdminError(str(error)) from error
        commit, table = held.revision.commit, self._journal.table
        self._follower.again()
        self._tracker.nudge()
        self.refresh()
        for _ in range(1200):
            newest = table.rejected or table.held or table.applied
            if table.approved is None and newest is not None:
                verdict = "rejected" if table.rejected else "held" if table.held else "applied"
                return {"approved": commit, "by": parameters["by"], "verdict": verdict, **(views.outcome(newest) or {})}
            if ALL in table.suspensions or self._follower.waiting:
                break
            await asyncio.sleep(0.05)
        return {"approved": commit, "by": parameters["by"], "verdict": "waiting", "commit": commit}


def _text(parameters: dict[str, Any], name: str) -> str:
    value = parameters.get(name) or ""
    if not isinstance(value, str):
        raise AdminError(f"{name} must be a text")
    return value
