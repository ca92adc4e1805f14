"""How far a revision has come: which phones it concerned when it came into force, and what became of each.

A phone is a subscription whose document the revision changed. Where it stands is read from the subscription itself, not
kept twice; what outlives the process is the list of those who were concerned, and the rows of the subscriptions.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from gitops_profile.presentity import ProfileKey
from gitops_profile.sip import EventPackage, Subscription
from gitops_profile.subscriptions import (
    ROLLOUTS,
    EndedSubscription,
    StoredRollout,
    StoreUnavailable,
    SubscriptionStore,
)
from gitops_profile.workers import Subscriptions

from .device_rollout import DeviceRollout
from .stage import Phone, Stage

logger = logging.getLogger(__name__)

_CHUNK = 200
"""Subscriptions looked at before the loop gets its turn (invariant I8)."""
_LOOK_EVERY, _LOOKS = 0.05, 40
"""Seconds between two looks whether phones are still being told, and how many looks."""
DONE = (Stage.ACKNOWLEDGED, Stage.FETCHED)
"""It has the version."""
MAX_LISTED = 100
"""Phones that are named of each kind; all are counted."""


@dataclass(slots=True)
class Progress:
    """The phones of one revision, counted; those that are not done by name, up to MAX_LISTED of each stage."""

    revision: str
    planned: int = 0
    told: int = 0
    """Those that a NOTIFY left for."""
    counts: dict[Stage, int] = field(default_factory=lambda: dict.fromkeys(Stage, 0))
    phones: dict[Stage, list[Phone]] = field(default_factory=dict)

    def count(self, stage: Stage, phone: Phone, *, told: bool) -> None:
        """One more."""
        self.planned += 1
        self.told += told
        self.counts[stage] += 1
        if stage not in DONE:
            listed = self.phones.setdefault(stage, [])
            if len(listed) < MAX_LISTED:
                listed.append(phone)


@dataclass(slots=True)
class _Change:
    """A revision whose phones are not known yet."""

    revision: str
    at: float
    ids: list[str]
    keys: frozenset[ProfileKey] | None
    """Documents that are other ones, for the phones that fetch them; None: whichever they miss."""


class Rollouts:
    """The newest revisions of this server."""

    def __init__(
        self,
        store: SubscriptionStore,
        subscriptions: Subscriptions,
        package: EventPackage,
        devices: DeviceRollout | None = None,
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._package = package
        self._devices = devices
        self._known: dict[str, StoredRollout] = {}
        """By revision, the oldest first."""
        self._changes: deque[_Change] = deque()
        self._before: list[tuple[str, float, list[str], Collection[ProfileKey] | None]] = []
        """Revisions with their resources, from before the subscriptions were restored."""
        self._wake = asyncio.Event()
        self._restored = False

    def revisions(self) -> list[str]:
        """Those that are known, the newest first."""
        return list(reversed(self._known))

    def applied(
        self,
        revision: str,
        resources: list[str],
        keys: Collection[ProfileKey] | None = (),
        *,
        now: float,
        ids: list[str] | None = None,
    ) -> None:
        """These resources may have another document from now on, by this revision: call it right after the change.

        `ids` are those of the subscriptions to them, if they are known already. `keys` are the documents that changed,
        for those who fetch them; None: all that somebody misses.
        """
        if not self._restored:
            self._before.append((revision, now, resources, keys))
            return
        if ids is None:
            ids = [id_ for resource in resources for id_ in self._subscriptions.ids_to(resource)]
        self._changes.append(_Change(revision, now, ids, frozenset(keys) if keys is not None else None))
        self._wake.set()

    async def restore(self, revision: str | None, *, now: float) -> None:
        """Take up what an earlier process has left, once its subscriptions are restored; `revision` is in force.

        If that process was killed before it had noted whom the revision concerns, it is whoever misses it now.
        """
        try:
            stored = await asyncio.to_thread(self._store.rollouts)
        except StoreUnavailable as error:
            logger.warning("the phones of earlier revisions are not known: %s", error)
            stored = []
        self._known = {rollout.revision: rollout for rollout in stored}
        self._restored = True
        before, self._before = self._before, []
        for one in before:
            self.applied(one[0], one[2], one[3], now=one[1])
        if revision is not None and not before and revision not in self._known:
            self.applied(revision, list(self._subscriptions.resources()), None, now=now)

    async def run(self) -> None:
        """Note whom each revision concerns, beside everything else."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._changes:
                await self._wait_for_quiet(len(self._changes[0].ids))
                await self._keep(await self._plan(self._changes.popleft()))

    async def progress(self, revision: str) -> Progress | None:
        """How far it has come; None while that is not known (yet, or any more). Raises StoreUnavailable."""
        rollout = self._known.get(revision)
        if rollout is None or any(change.revision == revision for change in self._changes):
            return None
        progress, missing = Progress(revision), []
        for number, id_ in enumerate(rollout.planned, 1):
            is_device = DeviceRollout.is_one(id_)
            held = self._subscriptions.find(id_) if not is_device else None
            if is_device:
                if self._devices is not None:
                    stage, phone, told = self._devices.stage(id_, rollout.applied_at)
                    progress.count(stage, phone, told=told)
            elif held is None:
                missing.append(id_)
            else:
                self._count(progress, held, rollout.applied_at)
            if number % _CHUNK == 0:
                await asyncio.sleep(0)
        await self._count_missing(progress, missing, rollout)
        return progress

    async def _wait_for_quiet(self, count: int) -> None:
        """Many phones are told first, and counted then: 10 000 had the last NOTIFY 60 ms later otherwise."""
        for _ in range(_LOOKS if count > _CHUNK else 0):
            await asyncio.sleep(_LOOK_EVERY)
            if self._subscriptions.is_quiet:
                return

    # -- who is concerned ------------------------------------------------------------------------------------------

    async def _plan(self, change: _Change) -> StoredRollout:
        """Those whose document is another one now. By the time they are looked at, some have been told already."""
        planned = []
        for number, id_ in enumerate(change.ids, 1):
            held = self._subscriptions.find(id_)
            if held is not None and (_since(held.told_at, change.at) or not self._has(held)):
                planned.append(id_)
            if number % _CHUNK == 0:
                await asyncio.sleep(0)
        missing = [id_ for id_ in change.ids if self._subscriptions.find(id_) is None]
        planned += [one.id for one in await self._ended(missing) if _since(one.told_at, change.at)]
        if self._devices is not None and (change.keys is None or change.keys):
            for number, name in enumerate(self._devices.concerned(change.keys, change.at), 1):
                planned += [name] if name is not None else []
                if number % _CHUNK == 0:
                    await asyncio.sleep(0)
        at, newest = change.at, next(reversed(self._known.values()), None)
        if newest is not None and newest.revision == change.revision:
            # The same revision once more: what was held back of it has come into force since.
            at, planned = newest.applied_at, DeviceRollout.merged([*newest.planned, *planned])
        return StoredRollout(change.revision, at, tuple(dict.fromkeys(planned)))

    async def _keep(self, rollout: StoredRollout) -> None:
        self._known.pop(rollout.revision, None)
        self._known[rollout.revision] = rollout
        while len(self._known) > ROLLOUTS:
            del self._known[next(iter(self._known))]
        stored: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

        def done(error: Exception | None) -> None:
            if not stored.cancelled():
                stored.set_result(error)

        self._store.submit_rollout(rollout, done)
        error = await stored
        if error is not None:
            logger.warning("the phones of rev=%s are forgotten at a restart: %s", rollout.revision[:12], error)

    # -- what became of them ---------------------------------------------------------------------------------------

    async def _count_missing(self, progress: Progress, missing: list[str], rollout: StoredRollout) -> None:
        """Of those whose subscription is over: the phone may have come back with another one."""
        since, planned = rollout.applied_at, frozenset(rollout.planned)
        ended = {one.id: one for one in await self._ended(missing)}
        for id_ in missing:
            over = ended.get(id_)
            if over is None:  # it was never told anything, or that is too long ago
                progress.count(Stage.GONE, Phone("", "", None), told=False)
                continue
            phone = Phone(over.resource, over.contact, over.user_agent)
            told = _since(over.told_at, since)
            back = self._back(over, planned) if over.got_at is None or not told else None
            if back is not None:
                self._count(progress, back, since)
            elif told and over.got_at is not None:
                progress.count(Stage.ACKNOWLEDGED, phone, told=True)
            elif told or _since(over.failed_at, since):
                progress.count(Stage.UNREACHABLE, phone, told=told)
            else:
                progress.count(Stage.GONE, phone, told=False)

    def _count(self, progress: Progress, held: Subscription, since: float) -> None:
        told = _since(held.told_at, since)
        if self._has(held) or (told and held.got_at is not None):
            stage, told = Stage.ACKNOWLEDGED, True
        elif _since(held.failed_at, since):
            stage = Stage.UNREACHABLE
        else:
            stage = Stage.NOTIFIED if told else Stage.PENDING
        phone = Phone(held.resource, held.dialog.remote_target, held.user_agent)
        progress.count(stage, phone, told=told)

    def _back(self, over: EndedSubscription, planned: Iterable[str]) -> Subscription | None:
        """The later subscription of the same phone: to the same resource, with the same contact."""
        contact = _address(over.contact)
        for held in self._subscriptions.subscriptions_to(over.resource):
            if held.id not in planned and _address(held.dialog.remote_target) == contact:
                return held
        return None

    def _has(self, held: Subscription) -> bool:
        return held.has(self._package.state(held.resource, held.audience))

    async def _ended(self, ids: list[str]) -> list[EndedSubscription]:
        return await asyncio.to_thread(self._store.ended, ids) if ids else []


def _since(at: float | None, since: float) -> bool:
    return at is not None and at >= since


def _address(contact: str) -> str:
    return contact.partition(";")[0].lower()
