"""Takes up the subscriptions of an earlier life: before the server is ready if they are few, else while it serves.

100 000 of them took 4 s. A refresh cannot wait for that, and need not: the one that it is about is read at once, by its
id. Everything that looks at all of them waits until they are there.
"""

import asyncio
import logging
import time

from gitops_profile.subscriptions import StoredBacklog, SubscriptionStore

from .crew import Crew
from .notifying import Notifying

logger = logging.getLogger(__name__)

FEW = 1000
"""Subscriptions that are all taken up before it is ready: some 20 ms."""
LONG = 10_000
"""Of more than that the end is worth a line."""
PATIENCE = 10.0
"""Seconds for which the end of the server waits for them."""


class TakingUp:
    """What of an earlier life is on its way."""

    def __init__(self, store: SubscriptionStore, crew: Crew, sip: Notifying) -> None:
        self._store = store
        self._crew = crew
        self._sip = sip
        self._backlog: StoredBacklog | None = None
        self.done = asyncio.Event()
        """Set when all are there."""

    async def begin(self) -> None:
        """Before anything is heard: from here on a refresh finds its subscription. Raises StoreUnavailable."""
        notifier, now = self._sip.notifier, self._sip.endpoint.now()
        if self._crew.count > 1:  # the others know nothing of this file
            notifier.restore(self._crew.take_up(await asyncio.to_thread(self._store.load)), now=now)
            self._end()
            return
        self._backlog = await asyncio.to_thread(self._store.backlog)
        notifier.begin_restoring(self._backlog, now=now)
        if len(self._backlog) <= FEW:
            while notifier.restore_some(now=now):
                pass
            self._end()

    async def finish(self) -> None:
        """Take up the others, a millisecond at a time (invariant I8). Raises StoreUnavailable."""
        sip, begun = self._sip, time.monotonic()
        if self._backlog is not None:
            await asyncio.to_thread(self._backlog.index)
        while sip.notifier.restore_some(now=sip.endpoint.now()):
            sip.endpoint.pump()
            await asyncio.sleep(0)
        if len(sip.notifier) > LONG:
            logger.info("subscriptions taken up count=%d seconds=%.1f", len(sip.notifier), time.monotonic() - begun)
        self._end()

    async def settle(self) -> None:
        """Wait until all are there, but not for ever: they come behind `ready`, and that may be waiting for git."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self.done.wait()
        except TimeoutError:
            logger.warning("some subscriptions of an earlier life were not taken up in time; they are kept")

    @property
    def left(self) -> int:
        """How many are still to come."""
        return self._sip.notifier.to_come

    def _end(self) -> None:
        self.close()
        self.done.set()

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        backlog, self._backlog = self._backlog, None
        if backlog is not None:
            backlog.close()
