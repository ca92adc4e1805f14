"""The server: git → log → table → notifier → sockets, built here and nowhere else."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from gitops_profile.config import Config, ConfigError
from gitops_profile.eventlog import Ahead, FileEventLog, LogCorrupt, LogUnavailable
from gitops_profile.http import AdminSocket, Handler
from gitops_profile.inventory import InventoryUnavailable
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import ProfileKey, UnknownEvent
from gitops_profile.reconcile import Journal, LoaderProcess, Reconciler, replay
from gitops_profile.sip import SubscriptionEvent, SubscriptionStarted
from gitops_profile.source import KeysUnusable, NotARepository, SourceUnavailable
from gitops_profile.state import StateFolder
from gitops_profile.subscriptions import StoreUnavailable
from gitops_profile.transport import (
    CertificateError,
    InterfaceUnusable,
    ListenError,
)

from . import asking, derived, gatekeeping, kept
from .answers import Answers
from .changes import Changes
from .commit_status import CommitStatuses, status_target
from .crew import Crew
from .device_rollout import DeviceRollout
from .follower import Follower
from .hardware import Hardware
from .lifecycle import Lifecycle
from .notifying import DRAIN_SECONDS, DRAIN_STEP, Notifying
from .observer import Observer
from .revisions import revision_answers
from .rollout import Rollouts
from .snapshots import Snapshots
from .source import Source
from .stopping import is_done_before
from .taking_up import TakingUp
from .trust import Signatures
from .waiting import Waiting
from .webhook import Webhook

logger = logging.getLogger(__name__)

DRAIN_REASONS = {"deactivate": "deactivated", "probation": "probation;retry-after=60"}
_EXPECTED = (
    ConfigError,
    NotARepository,
    KeysUnusable,
    LogCorrupt,
    LogUnavailable,
    UnknownEvent,
    StoreUnavailable,
    InventoryUnavailable,
    ListenError,
    CertificateError,
    InterfaceUnusable,
)


class CannotServe(Exception):
    """The server cannot start; the message is one line and says what to do."""


class Server:
    """One running server."""

    def __init__(
        self, config: Config, *, progress: Callable[[int, int], None] | None = None, snapshot: Ahead | None = None,
        on_settled: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`snapshot` is that of the event log, which somebody has begun to read already. `on_settled` is told when
        everything of an earlier life is in memory, which is soon after it is ready.
        """
        self._snapshot, self._on_settled = snapshot, on_settled
        self._config = config
        self._progress = progress
        self._state = StateFolder(config.state)
        self._credentials = gatekeeping.credential_files(config)
        self._metrics = Metrics()
        self._observer = Observer(self._metrics)
        self._stack = AsyncExitStack()
        self._ready = False
        self._announced = asyncio.Event()
        self.bound: list[str] = []
        self.http: str | None = None

    async def run(self, on_ready: Callable[["Server"], None], stop: asyncio.Event) -> None:
        """Serve until `stop`; raises CannotServe when that is not possible."""
        try:
            async with self._stack:
                if await is_done_before(stop, self._open()):
                    await self._serve(on_ready, stop)
        except _EXPECTED as error:
            raise CannotServe(" ".join(str(error).split())) from error
        except BaseExceptionGroup as group:
            expected, others = group.split(_EXPECTED)
            if others is not None or expected is None:
                raise
            first = expected.exceptions[0]
            raise CannotServe(" ".join(str(first).split())) from first

    # -- starting ------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Everything that holds state, in the order in which it is needed."""
        config = self._config
        if ".." in Path(config.repository.path).parts or Path(config.repository.path).is_absolute():
            raise CannotServe(f"--path {config.repository.path!r} must lie inside the repository, such as profiles")
        self._source = Source(config, self._metrics)
        self._tracker = self._source.tracker
        self._stack.push_async_callback(self._source.close)
        glanced = self._source.glance()
        if not self._source.is_remote and glanced is None:
            await self._open_source(spared=await asyncio.to_thread(self._state.log.is_dir))
        # First of all, so that a port that is taken is all that is said, and nothing is written.
        self._crew = Crew(config)
        self._stack.callback(self._crew.release)
        self._sockets = self._crew.bind()
        self._tls, self._https = derived.certificates(config), derived.https_certificates(config)
        try:
            await asyncio.to_thread(self._state.create)
        except OSError as error:
            raise CannotServe(f"the state folder {config.state} cannot be used: {error.strerror}") from error
        if glanced is None:
            self._store = await kept.open_store(self._state, self._stack)
            if self._source.is_remote:
                await self._open_source()  # only who holds the state folder may tidy up the clone in it
            await self._source.check_ref(served_before=await asyncio.to_thread(self._state.log.is_dir))
            log = await kept.open_log(self._state, self._snapshot, self._stack)
        else:
            self._store, log = await kept.open_kept(self._state, self._snapshot, self._stack)
        self._journal: Journal = await replay(log)
        self._stack.push_async_callback(self._journal.save_snapshot)
        await self._open_forge()
        self._build_sip(await self._read_secrets(), log)
        await self._hardware.open()
        self._stack.push_async_callback(self._hardware.close)
        self._signatures = Signatures(config, self._source.location, self._source.unseen)
        await asyncio.to_thread(self._signatures.open)
        self._stack.push_async_callback(asyncio.to_thread, self._signatures.close)
        self._loading = LoaderProcess(self._source.location)
        self._stack.push_async_callback(self._loading.close)
        self._reconciler = Reconciler(
            self._journal, self._loading, ref=config.repository.ref, path=config.repository.path,
            on_changed=self._changed, is_ancestor=self._source.is_ancestor, between=self._source.between,
            brings_urgent=self._source.brings_urgent,
            progress=self._progress, rewrites=config.trust.rewrites, trust=self._signatures.trust,
        )  # fmt: skip
        # GitPython and a look at git take 0.1 s: where they will change nothing, they come behind `ready`.
        served = self._journal.table.applied is not None
        self._looks_later = served and glanced is not None and self._reconciler.knows(glanced)
        if not self._looks_later:
            self._looks_later = not await self._open_source(spared=served)
        self._follower = Follower(self._tracker, self._reconciler, self._journal, self._metrics)
        self._snapshots = Snapshots(
            self._journal,
            lambda: self._follower.reconciling or self._tracker.is_looking,
            lambda: not self._sip.notifier.is_quiet,
        )
        self._waiting = Waiting(
            self._rollouts, self._journal, self._follower, lambda: self._source.repository.git_dir,
            self._tracker.nudge, self._holding.held,
        )  # fmt: skip
        self._follower.on_outcome.append(self._statuses.outcome)
        self._lifecycle = Lifecycle(
            config.repository.ref, self._journal, self._follower, self._tracker, self._reconciler.suspending,
            self._metrics, alarm=self._hardware.alarm,
        )  # fmt: skip

    async def _open_forge(self) -> None:
        """What is heard from the forge, and told to it."""
        self._webhook = Webhook(self._config, self._state.webhooks, self._metrics, self._tracker.nudge)
        await self._webhook.open()
        self._statuses = CommitStatuses(
            status_target(self._config), self._config.commit_status.token_file, self._state.commit_statuses,
            self._journal.table, self._metrics,
        )  # fmt: skip
        await self._statuses.open()
        self._stack.push_async_callback(self._statuses.close)

    async def _open_source(self, *, spared: bool = False) -> bool:
        """Whether git reads the repository. It must, unless it is `spared`, for a log serves until it does."""
        try:
            await (self._source.open_soon() if spared else self._source.open())
        except (NotARepository, SourceUnavailable) as error:
            if spared:
                return False
            raise CannotServe(" ".join(str(error).split())) from error
        return True

    def _build_sip(self, secret: bytes, log: FileEventLog) -> None:
        """The notifier, those of the other workers, and who asks them."""
        config, table = self._config, self._journal.table
        self._room = derived.room(config)
        self._sip = sip = Notifying(
            config, self._credentials, table, secret, self._crew.owners, self._store,
            connections=self._room.sip, certificates=self._tls,
            on_event=self._sip_event, on_guess=self._observer.sip_event, on_refused=self._observer.connection_refused,
            on_fetch=self._observer.content_fetched, on_clock_jump=self._clock_jumped,
        )  # fmt: skip
        sip.holding.on_open.append(self._opened)
        self._package, self._endpoint, self._holding = sip.package, sip.endpoint, sip.holding
        self._stack.push_async_callback(self._endpoint.close)
        self._taking_up = TakingUp(self._store, self._crew, sip)
        self._stack.callback(self._taking_up.close)
        self._subscriptions = self._crew.assemble(
            sip, self._store, self._journal, log, secret, self._state, self._observer, self._sip_event
        )
        self._stack.push_async_callback(self._crew.close)
        self._hardware = Hardware(
            config, self._state, table, secret, self._metrics, self._subscriptions, sip, self._crew.datagram_sockets,
            on_guess=self._observer.sip_event,
        )  # fmt: skip
        self._ladder = self._hardware.ladder(self._package, self._holding.held)
        devices = DeviceRollout(self._ladder, self._hardware.owing)
        self._rollouts = Rollouts(self._store, self._subscriptions, self._package, devices)
        self._changes = Changes(
            table, self._package, self._subscriptions, self._endpoint, self._hardware, self._rollouts
        )

    async def _read_secrets(self) -> bytes:
        """The server's own key, and the credentials of its subscribers."""
        try:
            secret = await asyncio.to_thread(self._state.read_secret)
            await asyncio.to_thread(self._credentials.read)
        except OSError as error:
            hint = "gitops-profile passwd makes a credentials file"
            raise CannotServe(f"{error.filename}: {error.strerror}; {hint}") from error
        return secret

    async def _serve(self, on_ready: Callable[["Server"], None], stop: asyncio.Event) -> None:
        parts = (self._answers(), self._lifecycle, self._waiting, self._hardware, self._ladder)
        handlers = {name: handler for part in parts for name, handler in part.handlers().items()}
        admin = await AdminSocket.open(self._state.socket)
        self._stack.push_async_callback(admin.close)
        await self._start_http(handlers)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(self._listen())
            others = [
                self._track(),
                self._follower.follow(),
                self._announce(serving, on_ready),
                self._take_up(serving),
                asking.answer_admin(
                    admin, handlers, self._announced if self._journal.table.applied is not None else None
                ),
                self._watch_credentials(),
                self._rollouts.run(),
                self._crew.run(),
                self._holding.run(),
                self._lifecycle.watch(),
                self._snapshots.run(),
                self._webhook.watch(),
                self._statuses.run(),
                *self._hardware.work(),
                self._signatures.watch(self._journal.table, self._follower.again),
            ]
            running = [serving, *(tasks.create_task(work) for work in others)]
            await stop.wait()
            await self._drain()
            for task in running:
                task.cancel()
        logger.info("stopped; subscriptions are kept: %d", len(self._subscriptions))

    async def _drain(self) -> None:
        """Send the phones elsewhere before the end, when the settings say so (RFC 6665 §4.4.2)."""
        reason = DRAIN_REASONS.get(self._config.subscriptions.on_stop)
        if reason is None or not self.bound:
            return
        await self._taking_up.settle()
        logger.info("draining subscriptions=%d", len(self._subscriptions))
        self._subscriptions.drain(reason, now=self._endpoint.now())
        self._endpoint.pump()
        for _ in range(int(DRAIN_SECONDS / DRAIN_STEP)):
            if self._subscriptions.is_quiet:
                return
            await asyncio.sleep(DRAIN_STEP)
        logger.warning("some phones did not answer in time; the server stops")

    async def _watch_credentials(self) -> None:
        """Read the credentials files again when they change, and end the subscriptions of those who are gone."""
        while self._credentials:
            await asyncio.sleep(1.0)
            if await asyncio.to_thread(self._credentials.read_changed):
                self._reauthorize()

    def _reauthorize(self) -> None:
        self._subscriptions.reauthorize(now=self._endpoint.now())
        self._endpoint.pump()

    async def _start_http(self, handlers: Mapping[str, Handler]) -> None:
        if self._config.http.listen is None:
            return
        parts = (self._sip.content, self._hardware.documents, self._webhook, revision_answers(self._config, handlers))
        routes = [route for part in parts if part is not None for route in part.routes()]
        server, self.http = await asking.start_http(
            self._config, self._room.http, self._https, routes, self._health, self._expose
        )
        self._stack.push_async_callback(server.close)

    async def _listen(self) -> None:
        """Bind, and take up the subscriptions: at once when the log can serve, else after the first revision."""
        while self._journal.table.applied is None and not self._follower.looked.is_set():
            await self._follower.looked.wait()
        # Before anything is heard: a refresh in between would be answered 481, and the phone would forget its dialog.
        await self._taking_up.begin()
        await self._endpoint.listen(self._sockets)
        self._hardware.listen()
        self.bound = [str(address) for address, _ in self._sockets]
        await self._crew.ready()
        if self._taking_up.done.is_set():
            await self._all_taken_up()

    async def _take_up(self, serving: asyncio.Task[None]) -> None:
        """Take up the subscriptions that are not there when it is ready."""
        await serving
        await self._announced.wait()
        await self._journal.read_all()
        if not self._taking_up.done.is_set():
            await self._taking_up.finish()
            await self._all_taken_up()
        self._on_settled()

    async def _all_taken_up(self) -> None:
        """Tell whoever is owed something, and begin with what looks at all subscriptions."""
        self._endpoint.pump()
        applied = self._journal.table.applied
        await self._rollouts.restore(applied.revision.commit if applied is not None else None, now=self._endpoint.now())
        self._hardware.begin()

    async def _track(self) -> None:
        """Look at git, again and again."""
        if self._looks_later:
            await self._announced.wait()
            await self._tracker.await_opening(self._source.open)
        await self._follower.track()

    async def _announce(self, serving: asyncio.Task[None], on_ready: Callable[["Server"], None]) -> None:
        await serving
        if not self._looks_later:
            await self._follower.looked.wait()
        while self._journal.table.applied is None:
            self._follower.looked.clear()
            await self._follower.looked.wait()
        self._ready = True
        self._announced.set()
        on_ready(self)

    def _changed(self, keys: Sequence[ProfileKey]) -> None:
        self._statuses.reaches(
            lambda: self._subscriptions.count_to(self._package.affected(keys, self._subscriptions.resources()))
        )
        self._changes.tell(keys)

    def _opened(self, keys: Sequence[ProfileKey]) -> None:
        self._endpoint.state_changed([str(key) for key in keys])
        self._hardware.opened(keys)

    def _sip_event(self, event: SubscriptionEvent) -> None:
        self._observer.sip_event(event)
        if isinstance(event, SubscriptionStarted):
            self._hardware.subscribed(event)

    # -- what it tells -------------------------------------------------------------------------------------------

    def _clock_jumped(self, seconds: float) -> None:
        self._metrics.clock_jumps.inc()
        self._store.clock_jumped(seconds)
        self._crew.tell("look")
        self._holding.look()

    def _expose(self) -> bytes:
        self._lifecycle.refresh()
        self._metrics.subscriptions.set(len(self._subscriptions))
        self._metrics.presentities.set(len(self._journal.table))
        self._metrics.position.set(self._journal.position)
        return self._metrics.exposition()

    def _answers(self) -> Answers:
        return Answers(
            self._config, self._journal, self._follower, self._source.resolve, self._tracker, self._subscriptions,
            self._package, self._ladder, self._taking_up.done,
            facts=lambda: {
                "ready": self._ready, "listening": self.bound, "http": self.http, "source": self._source.facts(),
                "taking_up": self._taking_up.left,
                "webhook": self._webhook.facts(), "commit_status": self._statuses.facts(),
                "workers": self._crew.facts(),
                **self._hardware.facts(),
            },
            life=self._lifecycle.status,
        )  # fmt: skip

    def _health(self) -> tuple[bool, dict[str, Any]]:
        return self._ready, {"ready": self._ready, "position": self._journal.position}
