"""Turns for what comes on connections: a few milliseconds of it in one turn of the loop, one peer after the other.

A stream brings up to 256 KB at once, which are hundreds of messages. Eight peers that did nothing but send held up
everybody else's answer for 200 to 330 ms (tests/system/test_abuse.py); the SIP loop is never blocked (invariant I8).
"""

import asyncio
from collections import deque
from collections.abc import Callable

SLICE = 4096
"""Bytes of a stream that are heard at once: some messages, for a look at the clock after each would cost more."""
BUDGET = 0.004
"""Seconds of the messages heard in one turn of the loop, and the last one."""


class Turns:
    """Who waits to be heard."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        """`on_end` is called after each turn: what was heard in it shares one commit."""
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        self._waiting: deque[Callable[[], bool]] = deque()
        self._running = False

    def add(self, hear: Callable[[], bool]) -> None:
        """Call `hear` when its turn comes, and again as long as it returns True."""
        self._waiting.append(hear)
        self._start()

    async def take(self, hear: Callable[[], None]) -> None:
        """Call `hear` when its turn comes, and return then."""
        heard = self._loop.create_future()

        def once() -> bool:
            if not heard.done():  # else nobody waits any more
                hear()
                heard.set_result(None)
            return False

        self.add(once)
        await heard

    def _start(self) -> None:
        if not self._running:
            self._running = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._running = False
        end = self._loop.time() + BUDGET
        while self._waiting:
            hear = self._waiting.popleft()
            if hear():
                self._waiting.append(hear)
            if self._loop.time() > end:
                break
        self._on_end()
        if self._waiting:
            self._start()
