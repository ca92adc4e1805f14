"""The other workers, as the main process has them: started, given what is theirs, started anew when they die."""

import asyncio
import logging
import socket
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from gitops_profile.processes import module_command, without_settings
from gitops_profile.sip import StoredSubscription

from .channel import Channel
from .mirror import Mirror
from .rows import Row, key_text, pack, unpack
from .sockets import Bound

logger = logging.getLogger(__name__)

RETRY_FIRST, RETRY_LONGEST = 0.1, 10.0
"""Seconds until a worker that died is started anew, doubling; one that lived for the longest begins afresh."""
STOP_SECONDS = 5.0
"""For a worker to say goodbye to its connections."""
LOOK_EVERY = 1.0
"""Seconds between two questions to a worker whether its loop still runs."""
UNHEARD = 15
"""Questions without an answer after which it is ended: a phone gives a request up after 32 s (RFC 3261 §17.1.2.2). They
are counted and not timed, so that a main process that was stopped itself ends nobody."""
UNHEARD_STARTING = 120
"""The same for one that does not serve yet: it hears nothing while it takes up its subscriptions, 4 s for 100 000."""
ROWS_AT_ONCE = 500
"""In one message, which a loop decodes within a millisecond or two (invariant I8)."""


class Store(Protocol):
    """The one durable store."""

    def submit(
        self,
        saves: Sequence[StoredSubscription],
        deletes: Sequence[str],
        done: Callable[[Exception | None], None],
    ) -> None:
        """See `SubscriptionStore`."""


class Pool:
    """The workers beside this process, which is worker 0. Needs a running loop."""

    def __init__(
        self,
        module: str,
        listeners: Sequence[Bound],
        mailboxes: Sequence[tuple[socket.socket, socket.socket]],
        store: Store,
        setup: Callable[[], dict[str, Any]],
        *,
        stand_in: Callable[[Bound], Callable[[], None]],
        on_report: Callable[[Any], None],
        on_quiet: Callable[[int], None],
        on_resource: Callable[[str], object],
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        """`module` is what a worker runs; `listeners` and `mailboxes` are by worker, this one's first.

        `setup()` is what a worker that starts is told; until it serves, `stand_in` reads its sockets, for answers to
        our own requests come there as well, and what it returns ends that. `on_resource` is told of each resource that
        gets its first subscription in a worker, `on_quiet` which of them has nothing under way after a drain.
        """
        count = len(listeners)
        self.mirrors = [Mirror() for _ in range(1, count)]
        self._workers = [
            _Worker(number, module, listeners[number], mailboxes, mirror, store)
            for number, mirror in enumerate(self.mirrors, 1)
        ]
        for worker in self._workers:
            worker.setup, worker.stand_in = setup, stand_in
            worker.on_report, worker.on_quiet = on_report, on_quiet
            worker.on_resource, worker.on_restart = on_resource, on_restart

    def take_up(self, rows: Mapping[int, Sequence[StoredSubscription]]) -> None:
        """Give them the subscriptions of an earlier life, by worker: they serve from then on."""
        for worker in self._workers:
            worker.take_up(list(map(pack, rows.get(worker.number, ()))))

    async def run(self) -> None:
        """Keep them running, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for worker in self._workers:
                tasks.create_task(worker.run())

    async def ready(self) -> None:
        """Wait until all of them serve."""
        for worker in self._workers:
            await worker.ready.wait()

    def tell(self, *message: Any) -> None:
        """Say a word to all of them; one that is down learns what it must know when it starts."""
        for worker in self._workers:
            worker.say(*message)

    def facts(self) -> list[dict[str, Any]]:
        """For `status`."""
        return [worker.facts() for worker in self._workers]

    async def close(self) -> None:
        """Let them finish, and end them; a second time does nothing."""
        async with asyncio.TaskGroup() as tasks:
            for worker in self._workers:
                tasks.create_task(worker.stop())


class _Worker:
    """One of them, over all its lives."""

    setup: Callable[[], dict[str, Any]]
    stand_in: Callable[[Bound], Callable[[], None]]
    on_report: Callable[[Any], None]
    on_quiet: Callable[[int], None]
    on_resource: Callable[[str], object]
    on_restart: Callable[[], None]

    def __init__(
        self,
        number: int,
        module: str,
        bound: Bound,
        mailboxes: Sequence[tuple[socket.socket, socket.socket]],
        mirror: Mirror,
        store: Store,
    ) -> None:
        self.number = number
        self._module = module
        self._bound = bound
        self._inbox = mailboxes[number][0]
        self._mailboxes = [(other, pair[1]) for other, pair in enumerate(mailboxes) if other != number]
        self._mirror = mirror
        self._store = store
        self._process: Process | None = None
        self._channel: Channel | None = None
        self._under_way = 0
        """Batches that the store has not answered."""
        self._settled = asyncio.Event()
        self.ready = asyncio.Event()
        self._taken_up = asyncio.Event()
        """It may serve."""
        self._unheard = 0
        self._restarts = 0
        self._end_stand_in: Callable[[], None] | None = None

    def take_up(self, rows: list[Row]) -> None:
        self._keep(rows)
        self._end_stand_in = self.stand_in(self._bound)
        self._taken_up.set()

    def say(self, *message: Any) -> None:
        if self._channel is not None:
            self._channel.say(*message)

    def facts(self) -> dict[str, Any]:
        return {
            "worker": self.number,
            "process": self._process.pid if self._process is not None else None,
            "ready": self.ready.is_set(),
            "subscriptions": len(self._mirror),
            "restarts": self._restarts,
        }

    # -- its lives -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        loop, pause = asyncio.get_running_loop(), RETRY_FIRST
        while True:
            began = loop.time()
            status = await self._live()
            if self._end_stand_in is None and self._taken_up.is_set():
                self._end_stand_in = self.stand_in(self._bound)
            self._restarts += 1
            self.on_restart()
            pause = RETRY_FIRST if loop.time() - began > RETRY_LONGEST else min(2 * pause, RETRY_LONGEST)
            logger.warning("worker %d ended status=%s, it is started anew in %.1f s", self.number, status, pause)
            await asyncio.sleep(pause)
            # What it wrote last is durable, or is not, before the next one is given its rows.
            while self._under_way:
                self._settled.clear()
                await self._settled.wait()

    async def _live(self) -> str:
        """One life; how it ended."""
        ours, theirs = socket.socketpair()
        try:
            self._process = await self._start(theirs)
        except OSError as error:
            ours.close()
            return f"not started: {error.strerror}"
        finally:
            theirs.close()
        channel = self._channel = await Channel.open(ours, self._heard)
        watching = asyncio.create_task(self._watch(channel, self._process))
        try:
            await self._equip(channel)
            status = await self._process.wait()
        finally:
            watching.cancel()  # also when the server stops, and nobody asks any more
        self.ready.clear()
        await channel.closed.wait()  # its last words are heard
        return str(status)

    async def _start(self, control: socket.socket) -> Process:
        shared = [control, self._inbox, *(sock for _, sock in self._mailboxes), *(sock for _, sock in self._bound)]
        return await asyncio.create_subprocess_exec(
            *module_command(self._module, str(control.fileno())),
            pass_fds=[sock.fileno() for sock in shared], env=without_settings(),
        )  # fmt: skip

    async def _equip(self, channel: Channel) -> None:
        """Tell it everything it has to know, down to its subscriptions."""
        own = {
            "life": self._restarts,
            "inbox": self._inbox.fileno(),
            "mailboxes": [(number, sock.fileno()) for number, sock in self._mailboxes],
            "listeners": [(str(address), sock.fileno()) for address, sock in self._bound],
        }
        channel.say("setup", self.number, self.setup() | own)
        await self._taken_up.wait()  # meanwhile it reads the log
        rows = self._mirror.rows()
        for start in range(0, len(rows), ROWS_AT_ONCE):
            channel.say("rows", rows[start : start + ROWS_AT_ONCE])
            await channel.drained()
        channel.say("begin")

    async def _watch(self, channel: Channel, process: Process) -> None:
        """End it when it hangs: half of the phones would get no answer for ever."""
        self._unheard = 0
        while self._unheard < (UNHEARD if self.ready.is_set() else UNHEARD_STARTING):
            self._unheard += 1
            channel.say("ping")
            await asyncio.sleep(LOOK_EVERY)
        logger.error("worker %d does not answer any more, it is ended", self.number)
        process.kill()

    async def stop(self) -> None:
        self._serves()
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.say("stop")
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
                if self._channel is not None:
                    await self._channel.closed.wait()  # what it wrote last is heard
        except TimeoutError:
            logger.warning("worker %d does not stop, it is ended", self.number)
            process.kill()
            await process.wait()

    # -- what it says ----------------------------------------------------------------------------------------------

    def _heard(self, message: list[Any]) -> None:
        match message:
            case ["batch", number, rows, ids]:
                self._store_batch(number, rows, list(map(key_text, ids)))
            case ["report", report]:
                self.on_report(report)
            case ["pong"]:
                self._unheard = 0
            case ["quiet"]:
                self.on_quiet(self.number)
            case ["ready"]:
                self._unheard = 0
                self.ready.set()
                self._serves()

    def _serves(self) -> None:
        """It reads its sockets itself."""
        end, self._end_stand_in = self._end_stand_in, None
        if end is not None:
            end()

    def _store_batch(self, number: int, rows: list[Row], ids: list[str]) -> None:
        channel = self._channel

        def done(error: Exception | None) -> None:
            self._under_way -= 1
            self._settled.set()
            if error is None:
                self._keep(rows)
                self._mirror.delete(ids)
            if channel is not None:  # of the life that wrote it
                channel.say("durable", number, str(error) if error is not None else None)

        self._under_way += 1
        try:
            self._store.submit([unpack(row[2]) for row in rows], ids, done)
        except RuntimeError as error:  # it is closed already
            done(error)

    def _keep(self, rows: Sequence[Row]) -> None:
        for resource in self._mirror.save(rows):
            self.on_resource(resource)
