"""Documents that are other ones now: whoever has to know is told, a few milliseconds of it in one turn of the loop.

A commit of one file is told at once. One of 100 000 would hold up the loop for 150 ms in one go (invariant I8).
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gitops_profile.event_packages import UAProfile
from gitops_profile.presentity import PresentityTable, ProfileKey
from gitops_profile.transport import SIPEndpoint
from gitops_profile.workers import Subscriptions

from .hardware import Hardware
from .rollout import Rollouts

AT_ONCE = 1000
"""Documents: some 2 ms."""


@dataclass(slots=True)
class _Revision:
    """One revision's documents."""

    commit: str | None
    keys: Sequence[ProfileKey]
    now: float
    told: int = 0
    """How many of the keys."""
    resources: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """Of the subscriptions to them."""


class Changes:
    """Tells the notifier, the phones that fetch, and who counts them. Needs a running loop."""

    def __init__(
        self,
        table: PresentityTable,
        package: UAProfile,
        subscriptions: Subscriptions,
        endpoint: SIPEndpoint,
        hardware: Hardware,
        rollouts: Rollouts,
    ) -> None:
        self._table = table
        self._package = package
        self._subscriptions = subscriptions
        self._endpoint = endpoint
        self._hardware = hardware
        self._rollouts = rollouts
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Revision] = deque()

    def tell(self, keys: Sequence[ProfileKey]) -> None:
        """These changed, or are gone; as many of them are told at once as may be."""
        applied = self._table.applied
        self._waiting.append(
            _Revision(applied.revision.commit if applied is not None else None, keys, self._endpoint.now())
        )
        if len(self._waiting) == 1:
            self._step()

    def _step(self) -> None:
        revision = self._waiting[0]
        some = revision.keys[revision.told : revision.told + AT_ONCE]
        revision.told += len(some)
        is_last = revision.told >= len(revision.keys)
        for key in some:
            if key not in self._table:
                self._package.forget_rendered(key)
        # Whoever has another's document is looked at once, with the last ones.
        resources = (
            self._package.affected(some, self._subscriptions.resources()) if is_last else [str(key) for key in some]
        )
        self._endpoint.state_changed(resources)
        self._hardware.changed(some)
        if revision.commit is not None:
            revision.resources += resources
            revision.ids += [id_ for resource in resources for id_ in self._subscriptions.ids_to(resource)]
        if is_last:
            self._waiting.popleft()
            if revision.commit is not None:
                self._rollouts.applied(
                    revision.commit, revision.resources, revision.keys, now=revision.now, ids=revision.ids
                )
        if self._waiting:
            self._loop.call_soon(self._step)
