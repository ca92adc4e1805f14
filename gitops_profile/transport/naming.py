"""Answers the notifier's questions where a name leads (RFC 3263)."""

import asyncio
import logging
from collections.abc import Callable

from gitops_profile.sip import Hop, Notifier, Target

from .late_resolver import NameResolver, Unresolvable

logger = logging.getLogger(__name__)

AT_ONCE = 1000
"""Questions under way; one more is answered "nowhere", and is asked again when its NOTIFY is tried again."""


class Naming:
    """Looks names up, one task for each question."""

    def __init__(
        self, resolver: NameResolver, notifier: Notifier, now: Callable[[], float], on_answer: Callable[[], None]
    ) -> None:
        self._resolver = resolver
        self._notifier = notifier
        self._now = now
        self._on_answer = on_answer
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self) -> None:
        """Begin to look up whatever the notifier wants to know."""
        for hop in self._notifier.lookups():
            if len(self._tasks) >= AT_ONCE:
                self._notifier.looked_up(hop, [], now=self._now())
                continue
            task = asyncio.get_running_loop().create_task(self._answer(hop))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop asking."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, hop: Hop) -> None:
        targets: list[Target] = []
        try:
            targets = await self._resolver.resolve(hop.scheme, hop.host, hop.port, hop.transport)
        except Unresolvable as error:
            logger.debug("no way to %s: %s", hop.host, error)
        except Exception:
            logger.exception("look-up failed host=%s", hop.host)  # a bug; whoever waits must not wait for ever
        self._notifier.looked_up(hop, targets, now=self._now())
        self._on_answer()
