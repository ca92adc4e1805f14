"""Whose change has to wait for a maintenance window, and until when.

Nothing is stored: the table has the policy and the urgency of every document, so a restart changes nothing. What waits
is remembered only to be looked at again when its windows open.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from gitops_profile.presentity import PresentityTable, ProfileKey, Window, parsed_key
from gitops_profile.windows import Closed, Schedule, UnusableCron, describe

from . import views

logger = logging.getLogger(__name__)

LOOK_EVERY = 15.0
"""Seconds at most between two looks at the clock on the wall, which may be set at any time."""
_MINUTE = 60.0
"""Windows begin and end with a minute, so an answer holds until the next one."""
MAX_WAITING = 1_000_000
"""Keys that are remembered; of more than that a change waits until its phone asks, or for the next change."""
Windows = tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A change is not told for now."""

    until: float
    """Unix seconds; inf when no opening is in sight."""
    why: str

    def facts(self) -> dict[str, str | None]:
        """For the admin socket; `until` is None when no opening is in sight."""
        return {"until": views.iso(self.until) if self.until != float("inf") else None, "why": self.why}


class Holding:
    """Asked before a change is told: by the notifier and by whoever pushes."""

    def __init__(
        self,
        table: PresentityTable,
        *,
        takes_unknown_devices: Callable[[str], bool] = lambda domain: False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`takes_unknown_devices(domain)`: whether a device without a profile has the default's there. `wall` is the
        clock of people: it may be set, and windows go by it.
        """
        self._table = table
        self._takes_unknown_devices = takes_unknown_devices
        self._wall = wall
        self._policies: dict[int, _Policy] = {}
        """By the identity of the windows, which documents of one folder share: comparing them would take longer."""
        self._nudged = asyncio.Event()
        self.on_open: list[Callable[[list[ProfileKey]], None]] = []
        """Told which of the keys that `wait` was asked about may be told from now on."""

    def held(self, key: ProfileKey) -> Held | None:
        """None when the newest document of `key` may be told to its phones now; an alias has its document's policy."""
        found = self._find(key)
        return found[1] if found is not None else None

    def wait(self, key: ProfileKey) -> Held | None:
        """The same; one that is held is named to `on_open` when its windows open."""
        found = self._find(key)
        if found is None:
            return None
        policy, held = found
        if len(policy.waiting) < MAX_WAITING:
            if not policy.waiting:
                self._nudged.set()  # it may open before the next look
            policy.waiting.add(key)
        return held

    def look(self) -> None:
        """Look at the clock now, as when it was set."""
        self._nudged.set()

    def opens(self, key: ProfileKey) -> float | None:
        """The same, as nothing but the time."""
        held = self.wait(key)
        return held.until if held is not None else None

    def holds(self, resource: str) -> bool:
        """Whether the notifier has to wait with a change of this resource; it is named to `on_open`, too."""
        return self._table.windowed > 0 and self.wait(parsed_key(resource)) is not None

    async def run(self) -> None:
        """Tell `on_open` of what opens."""
        while True:
            try:
                async with asyncio.timeout(self._pause()):
                    await self._nudged.wait()
            except TimeoutError:
                pass  # time to look
            self._nudged.clear()
            self.open_now()

    def open_now(self) -> None:
        """Name what waited for windows that are open by now."""
        now = self._wall()
        opened: list[ProfileKey] = []
        for identity, policy in list(self._policies.items()):
            if policy.waiting and policy.held(now) is None:
                opened += policy.waiting
                policy.waiting.clear()
            if not policy.waiting:
                del self._policies[identity]  # whoever still has them asks again
        if opened:
            logger.info("maintenance windows opened; held profiles may be told: %d", len(opened))
            for listener in self.on_open:
                listener(opened)

    def _pause(self) -> float:
        """Seconds until something that waits may open, a look at the clock at the latest."""
        now = self._wall()
        times = [held.until - now for one in self._policies.values() if one.waiting and (held := one.held(now))]
        return max(0.05, min([*times, LOOK_EVERY]))

    def _find(self, key: ProfileKey) -> "tuple[_Policy, Held] | None":
        """The windows that a change of `key` has to wait for; None when it need not."""
        document = self._table.given(key, self._takes_unknown_devices)
        if document is None or not document.notify.windows:
            return None
        windows = document.notify.windows
        policy = self._policies.get(id(windows))
        if policy is None:
            policy = self._policies[id(windows)] = _Policy(windows)
        held = policy.held(self._wall())
        if held is None:
            return None
        stamp = self._table.revision_of(document.key)
        return (policy, held) if stamp is None or not stamp.urgent else None


class _Policy:
    """The windows that some documents have in common: they are looked at once for all of them."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows  # kept, so that nothing else has its identity
        self.waiting: set[ProfileKey] = set()
        self._from = self._to = 0.0
        self._held: Held | None = None
        self._unusable = ""
        try:
            self._schedule = Schedule(windows)
        except UnusableCron as error:
            self._schedule, self._unusable = Schedule(()), str(error)
            logger.warning("a maintenance window cannot be used, its changes are held: %s", error)

    def held(self, now: float) -> Held | None:
        """What holds at `now`, Unix seconds."""
        if self._unusable:
            return Held(float("inf"), self._unusable)
        if not self._from <= now < self._to:
            closed = self._schedule.closed(now)
            self._held = Held(closed.until, _why(closed)) if closed is not None else None
            self._from = now
            self._to = closed.until if closed is not None else now - now % _MINUTE + _MINUTE
            if self._to == float("inf"):
                self._to = now + 60 * _MINUTE
        return self._held


def _why(closed: Closed) -> str:
    return "outside its maintenance windows" if closed.by is None else describe(closed.by)
