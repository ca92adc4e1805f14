"""Who is told to fetch again, and when: a change, a contact, an open window or a start only make one look (I3)."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from gitops_profile.config import PushSettings
from gitops_profile.devices import event_for, vendor_of
from gitops_profile.inventory import Device, Inventory
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import (
    PresentityTable,
    ProfileDocument,
    ProfileKey,
    ProfileType,
    mac_of,
)
from gitops_profile.push import Push, PushAnswered, PushQueue, PushSent, Verdict, Waits

from .owing import Owed, Owing
from .quiet import Budget
from .reach import Reach, Unreachable

logger = logging.getLogger(__name__)

AT_ONCE = 50
"""Phones that are looked at in one turn of the loop, which is a few milliseconds (invariant I8)."""
KEYS_AT_ONCE = 200
"""Changed profiles whose phones are found in one turn."""
REST = 0.005
"""Seconds for others after that many: nobody waits for a check-sync, and 100 000 profiles that came at once held up the
next commit for 0.2 s (tests/bench/bench_latency.py)."""
RETRY_FIRST, RETRY_LONGEST = 900.0, 21600.0
"""Seconds until a phone that was offline, or refused, is told again: doubling; a phone that is offline is told at its
next contact as well."""
MAX_REFUSALS = 10
"""Of one version: then it waits for the next change. Nobody is at fault for being offline."""
BUSY = 5.0
"""Seconds until a phone is looked at again whose last check-sync is still under way."""
HELD_LOOK = 600.0
"""Seconds at most between two looks at a phone whose window is closed: clocks are set, and windows changed."""
Held = Callable[[ProfileKey], float | None]
"""When the change of this profile may go out, Unix seconds; None: now."""


class Line(Protocol):
    """Sends check-syncs; what becomes of them is told to `Pusher.happened`."""

    def __len__(self) -> int:
        """How many are under way."""

    def is_busy(self, device: str) -> bool:
        """Whether one to this phone is."""

    def send(self, push: Push) -> None:
        """Tell a phone, as soon as its turn comes."""


class Pusher:
    """Tells phones without a subscription."""

    def __init__(
        self,
        settings: PushSettings,
        table: PresentityTable,
        inventory: Inventory,
        owing: Owing,
        reach: Reach,
        metrics: Metrics,
        clock: Callable[[], float],
        held: Held,
    ) -> None:
        """Nobody is told anything before `begin` is called and `line` is set."""
        self._table = table
        self._inventory = inventory
        self._now = clock
        self._held = held
        self._metrics = metrics
        self._owing = owing
        self._reach = reach
        self.owed = owing.to
        self.line: Line | None = None
        self._queue = PushQueue(Waits(settings.settle, settings.longest, settings.spread))
        self._news: deque[tuple[ProfileKey, bool]] = deque()
        """Profiles that changed, or (True) whose window opened, and whose phones have yet to be found."""
        self._moved = asyncio.Event()
        self._begun = asyncio.Event()
        self._tries: dict[str, int] = {}
        """Of the version in force: how often in vain."""
        self._refused: set[str] = set()
        """Phones that answered, and did not want to: showing themselves changes nothing about that."""
        self._failures = Budget(logger, "failed check-syncs")

    def begin(self) -> None:
        """The sockets are open and the notifier knows its subscriptions: phones may be told."""
        self._begun.set()

    def facts(self) -> dict[str, Any]:
        """For `status`."""
        return {
            "waiting": len(self._queue) + len(self._news),
            "under_way": len(self.line) if self.line is not None else 0,
            "in_vain": len(self._tries),
        }

    # -- what happened ---------------------------------------------------------------------------------------------

    def changed(self, keys: Iterable[ProfileKey]) -> None:
        """These documents are other ones now, or how they may be told is."""
        self._news.extend((key, False) for key in keys)
        self._moved.set()

    def seen(self, device: Device) -> None:
        """A phone showed itself: if it does not come for what it is owed by itself, it is told."""
        if device.device not in self._refused and self.owed(device):
            self._queue.seen(device.device, self._now())
            self._moved.set()

    def opened(self, keys: Iterable[ProfileKey]) -> None:
        """A maintenance window opened for these."""
        self._news.extend((key, True) for key in keys)
        self._moved.set()

    def happened(self, event: PushSent | PushAnswered) -> None:
        """What became of a check-sync."""
        push, now = event.push, self._now()
        if isinstance(event, PushSent):
            for key, etag in push.versions:
                self._inventory.pushed(push.device, key, etag, now)
            return
        for key, _ in push.versions:
            if event.verdict is Verdict.OFFLINE:
                self._inventory.push_failed(push.device, key, event.reason, now)
            else:
                self._inventory.push_answered(push.device, key, event.status, now, fault=event.reason or None)
        self._say(push, event.status, event.verdict, event.reason)
        if event.verdict in (Verdict.HEARD, Verdict.UNSUPPORTED):
            self._forgive(push.device)
            return
        if event.verdict is Verdict.REFUSED:
            self._refused.add(push.device)
        self._again(push.device, now)

    def _say(self, push: Push, status: int, verdict: Verdict, reason: str) -> None:
        self._metrics.pushes.labels(str(verdict)).inc()
        say = logger.info if verdict in (Verdict.HEARD, Verdict.UNSUPPORTED) else self._failures.warn
        say(
            "check-sync device=%s key=%s status=%d verdict=%s%s",
            push.device, push.versions[0][0], status, verdict, f": {reason}" if reason else "",
        )  # fmt: skip

    def _again(self, device: str, now: float) -> None:
        """It was told in vain: later once more."""
        tries = self._tries[device] = self._tries.get(device, 0) + 1
        if device in self._refused and tries > MAX_REFUSALS:
            return
        self._queue.again(device, now + min(RETRY_LONGEST, RETRY_FIRST * 2.0 ** min(tries - 1, 10)))
        self._moved.set()

    def _forgive(self, device: str) -> None:
        self._tries.pop(device, None)
        self._refused.discard(device)

    def _holders(self, document: ProfileDocument, now: float) -> list[Device]:
        """The phones that have it or should; one that was never seen can be told when its AoR is known."""
        if not len(self._inventory) and document.notify.aor is None:
            return []
        key = document.key
        holders = self._inventory.holders([str(key)])
        for name in (key, *document.aliases):
            device = self._inventory.get(name.name)  # perhaps it was seen before it had a profile
            if device is not None and device.contact is not None and device not in holders:
                holders.append(device)
        if holders or document.notify.aor is None or key.profile_type is not ProfileType.DEVICE:
            return holders
        mac = mac_of(key.name)
        return [self._inventory.expect(mac or str(key), str(key), mac, now)]

    def _is_urgent(self, key: ProfileKey) -> bool:
        stamp = self._table.revision_of(key)
        return stamp is not None and stamp.urgent

    # -- telling ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell whose time has come, for ever."""
        await self._begun.wait()
        await self.restore()
        while True:
            self._moved.clear()
            at = await self.step()
            if self._news:
                await asyncio.sleep(REST)
            try:
                async with asyncio.timeout(None if at is None else max(0.0, at - self._now())):
                    await self._moved.wait()
            except TimeoutError:
                continue  # somebody's time has come

    async def step(self) -> float | None:
        """Tell some of those whose time has come; when there is something to do again."""
        for _ in range(min(len(self._news), KEYS_AT_ONCE)):
            self._queue_holders(*self._news.popleft())
        due = self._queue.take_due(self._now(), AT_ONCE)
        async with asyncio.TaskGroup() as tasks:  # one whose name servers are slow must not keep the others
            for name in due:
                tasks.create_task(self._try_to_tell(name))
        return self._now() if self._news else self._queue.next_deadline()

    def _queue_holders(self, key: ProfileKey, has_opened: bool) -> None:
        now, document = self._now(), self._table.get(key)
        if document is None:
            return
        for device in self._holders(document, now):
            if has_opened:
                self._queue.opens(device.device, now, within=document.effective_by)
                continue
            self._forgive(device.device)
            self._queue.want(device.device, now, urgent=self._is_urgent(key), within=document.effective_by)

    async def restore(self) -> None:
        """After a start: whoever was not told, or could not be, is."""
        for number, document in enumerate(list(self._table)):
            self._holders(document, self._now())
            if number % KEYS_AT_ONCE == 0:
                await asyncio.sleep(REST)
        for number, device in enumerate(list(self._inventory)):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            owed = [] if self._inventory.is_stand_in(device) else self.owed(device)
            if not owed:
                continue
            refused = [at for one in owed if (at := _refused_at(device, one)) is not None]
            if len(refused) == len(owed):
                self._refused.add(device.device)
                self._queue.again(device.device, max(refused) + RETRY_FIRST)
            else:
                urgent = any(self._is_urgent(one.key) for one in owed)
                self._queue.want(device.device, self._now(), urgent=urgent)

    async def _try_to_tell(self, name: str) -> None:
        try:
            await self._tell(name)
        except Exception:
            # What one phone said of itself must not end the telling of all others; it is a bug, and says so.
            logger.exception("a phone could not be told device=%s", name)

    async def _tell(self, name: str) -> None:
        device = self._inventory.get(name)
        owed = self.owed(device) if device is not None and not self._inventory.is_stand_in(device) else []
        if device is None or not owed or self.line is None:
            return
        now = self._now()
        if self.line.is_busy(name):
            self._queue.again(name, now + BUSY)
            return
        opens = {one.key: at for one in owed if (at := self._held(one.key)) is not None}
        owed = [one for one in owed if one.key not in opens]
        if opens:
            self._queue.opens(name, min(max(now, min(opens.values())), now + HELD_LOOK))
        policy = self._owing.policy(device)
        event = event_for(vendor_of(None, device.mac, device.vendor), policy)
        if not owed or event is None:
            return  # it is held, or fetches when it wants to
        versions = tuple((str(one.key), one.etag) for one in owed)
        try:
            push = await self._reach.address(device, policy, Push(name, "", str(event), (), versions=versions))
        except Unreachable as error:
            if error.is_lasting and device.is_stranger:
                return  # anybody can ask for its file: that it was given none and is nowhere is no fault of a phone
            for key, _ in versions:
                self._inventory.push_failed(name, key, str(error), now)
            if not error.is_lasting:
                self._again(name, now)
            return
        if not self.line.is_busy(name) and self.owed(device):  # nor since, and it has not fetched it meanwhile
            self.line.send(push)


def _refused_at(device: Device, owed: Owed) -> float | None:
    """When it refused to hear of this version; None when it did not."""
    holding = device.holdings.get(str(owed.key))
    if holding is None or holding.told_etag != owed.etag or holding.heard_status is None:
        return None
    return holding.heard_at
