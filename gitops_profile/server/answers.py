"""What the admin socket answers: what this server serves, and how far it has come."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from gitops_profile.config import Config
from gitops_profile.http import AdminError, Handler
from gitops_profile.reconcile import ALL, EVERYTHING, Journal, Verdict
from gitops_profile.sip import EventPackage, Subscription
from gitops_profile.source import RefTracker, SourceUnavailable
from gitops_profile.workers import Subscriptions

from . import views
from .device_rows import standing_row
from .follower import Follower
from .ladder import Ladder

_CHUNK = 200
"""Subscriptions looked at before the loop gets its turn (invariant I8)."""


class Answers:
    """The handlers of the admin socket."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        follower: Follower,
        resolve: Callable[[str], Awaitable[str | None]],
        tracker: RefTracker,
        subscriptions: Subscriptions,
        package: EventPackage,
        ladder: Ladder,
        taken_up: asyncio.Event,
        *,
        facts: Callable[[], dict[str, Any]],
        life: Callable[[int], dict[str, Any]],
    ) -> None:
        """`taken_up` is set when all subscriptions of an earlier life are there."""
        self._config = config
        self._journal = journal
        self._follower = follower
        self._resolve = resolve
        self._tracker = tracker
        self._subscriptions = subscriptions
        self._package = package
        self._ladder = ladder
        self._taken_up = taken_up
        self._facts = facts
        self._life = life

    def handlers(self) -> dict[str, Handler]:
        """By the names by which the command line asks."""
        return {
            "status": self._status,
            "presentities": self._presentities,
            "subscriptions": self._list_subscriptions,
            "reconcile": self._reconcile,
        }

    async def _status(self, parameters: dict[str, Any]) -> dict[str, Any]:
        held, current = await self._counts()
        phones, table = await self._ladder.summary(), self._journal.table
        return {
            **self._facts(),
            "time": views.iso(time.time()),
            "ref": self._config.repository.ref,
            "head_seen": self._follower.head_seen,
            "applied": views.outcome(table.applied),
            "rejected": views.outcome(table.rejected),
            "waiting": self._follower.waiting,
            "presentities": len(table),
            "position": self._journal.position,
            "subscriptions": {"held": held, "current": current, "behind": held - current},
            **phones,
            **self._life(held - current),
        }

    async def _counts(self) -> tuple[int, int]:
        """How many subscriptions are held, and how many of them have what is in force."""
        held = current = 0
        for number, id_ in enumerate(self._subscriptions.ids(), 1):
            subscription = self._subscriptions.find(id_)
            if subscription is not None:
                held += 1
                current += views.is_current(subscription, self._package)
            if number % _CHUNK == 0:
                await asyncio.sleep(0)
        return held, current

    async def _presentities(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        return views.presentities(self._journal.table)

    async def _list_subscriptions(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        def where(subscription: Subscription) -> dict[str, Any]:
            return standing_row(self._ladder.of_subscription(subscription))

        await self._taken_up.wait()
        return views.subscriptions(self._subscriptions, self._package, where)

    async def _reconcile(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Look at git now, and say what became of its head."""
        try:
            await self._tracker.look()
            commit = await self._resolve(self._config.repository.ref)
        except SourceUnavailable as error:
            raise AdminError(str(error)) from error
        if commit is None:
            raise AdminError(f"the ref {self._config.repository.ref!r} does not exist")
        for _ in range(1200):
            table = self._journal.table
            for verdict, event in (("rejected", table.rejected), ("held", table.held), ("applied", table.applied)):
                if event is not None and event.revision.commit == commit:
                    return {"verdict": verdict, **(views.outcome(event) or {})}
            last = self._follower.last
            if last is not None and last.commit == commit and last.verdict is Verdict.UNAVAILABLE:
                return {"verdict": "unavailable", "commit": commit, "reason": last.reason}
            if ALL in table.suspensions:
                return {"verdict": "suspended", "commit": commit, "reason": EVERYTHING}
            await asyncio.sleep(0.05)
        raise AdminError(f"revision {commit} is still being looked at; see: gitops-profile status")
