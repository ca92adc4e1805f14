"""Tells the forge what became of each commit, beside everything else and never in its way."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_profile.config import Config, ConfigError
from gitops_profile.forge import (
    CommitStatus,
    Delivered,
    Dropped,
    Later,
    Provider,
    Reply,
    State,
    StatusTarget,
    default_api,
    judge,
    locate,
    status_request,
)
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import PresentityTable, RevisionApplied, RevisionHeld, RevisionSuperseded
from gitops_profile.reconcile import Outcome, Verdict

from .status_outbox import StatusOutbox
from .views import iso

if TYPE_CHECKING:
    from gitops_profile.http import StatusClient

logger = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
"""Seconds between tries, unless the forge names a longer time."""
AFTER_A_BUG = 60.0
MAX_TOKEN = 4096
"""Bytes that are read of the token file."""


def status_target(config: Config) -> StatusTarget | None:
    """Where statuses go by the settings; None: nowhere. Raises ConfigError."""
    settings = config.commit_status
    if settings.provider is None:
        return None
    found = locate(config.repository.url)
    repository = settings.repository or (found.name if found else None)
    if repository is None:
        raise ConfigError("", "commit_status.repository", "say owner/name: repository.url does not tell it")
    if settings.url is None and found is None:
        raise ConfigError("", "commit_status.url", "say where the API is: repository.url does not tell it")
    api = settings.url or (default_api(settings.provider, found) if found is not None else "")
    return StatusTarget(Provider(settings.provider), api, repository, settings.context, settings.target_url)


def status_of(outcome: Outcome, phones: int | None = None) -> CommitStatus | None:
    """What is told of an outcome; `phones` are those whose document it changed. None: nothing, it is known already."""
    match outcome.verdict:
        case Verdict.APPLIED:
            state, text = State.SUCCESS, _applied(outcome.added, outcome.changed, outcome.removed, phones)
            text += f", {outcome.held_back} held back" if outcome.held_back else ""
        case Verdict.REJECTED:
            state, text = State.FAILURE, f"rejected: {_first(outcome.problems) or outcome.reason}"
        case Verdict.SUPERSEDED:
            state, text = State.SUPERSEDED, "superseded: a newer commit came before it was looked at"
        case Verdict.SUSPENDED:
            state, text = State.PENDING, "waits: applying is suspended"
        case Verdict.UNAVAILABLE:
            state, text = State.PENDING, "waits: git or the event log cannot be used now"
        case Verdict.HELD:
            state, text = State.PENDING, f"held until it is approved: {_first(outcome.problems) or outcome.reason}"
        case _:
            return None
    return CommitStatus.of(outcome.commit, state, text)


def recorded_statuses(table: PresentityTable, commit: str) -> list[CommitStatus]:
    """What is told of a verdict that the log has, and of which nobody was told: the process ended too early."""
    event = table.rejected or table.held or table.applied
    if event is None or event.revision.commit != commit:
        return []
    if isinstance(event, RevisionApplied):
        state, text = State.SUCCESS, _applied(event.added, event.changed, event.removed, None)
    elif isinstance(event, RevisionHeld):
        state, text = State.PENDING, f"held until it is approved: {_first(event.problems)}"
    else:
        state, text = State.FAILURE, f"rejected: {_first(event.problems)}"
    passed = [superseded(one) for one in table.superseded if one.by == commit]
    return [*passed, CommitStatus.of(commit, state, text)]


def superseded(event: RevisionSuperseded) -> CommitStatus:
    """What is told of a commit that was gone past."""
    text = f"superseded by {event.by[:12] if event.by else 'a newer commit'} before it was looked at"
    return CommitStatus.of(event.revision.commit, State.SUPERSEDED, text)


def _first(problems: Sequence[object]) -> str:
    """The first, with the number of the others before it: a long line is cut at its end."""
    if not problems:
        return ""
    return f"{problems[0]}" if len(problems) == 1 else f"{len(problems)} problems, first: {problems[0]}"


def _applied(added: int, changed: int, removed: int, phones: int | None) -> str:
    counts = [f"{n} {what}" for n, what in ((added, "added"), (changed, "changed"), (removed, "removed")) if n]
    if not counts:
        return "applied: no profile changed"
    if phones is not None:
        counts.append("1 phone" if phones == 1 else f"{phones} phones")
    return f"applied: {', '.join(counts)}"


class CommitStatuses:
    """The statuses of this server's commits; nothing when the settings name no provider."""

    def __init__(
        self,
        target: StatusTarget | None,
        token_file: Path | None,
        outbox: Path,
        table: PresentityTable,
        metrics: Metrics,
        *,
        client: StatusClient | None = None,
        wall: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._target = target
        self._token_file = token_file
        self._outbox = StatusOutbox(outbox)
        self._table = table
        self._metrics = metrics
        self._client = client
        self._wall = wall
        self._jitter = jitter
        self._wanted = asyncio.Event()
        self._failures = 0
        self._phones: int | None = None
        self._trouble: str | None = None
        self._last_sent: dict[str, Any] | None = None
        self._last_dropped: dict[str, Any] | None = None

    async def open(self) -> None:
        """Take up what an earlier run left."""
        if self._target is not None:
            await asyncio.to_thread(self._outbox.load)

    async def close(self) -> None:
        """Keep what is undelivered, and close the connection."""
        await self._outbox.save()
        if self._client is not None:
            await self._client.close()

    def reaches(self, count_phones: Callable[[], int]) -> None:
        """Before an outcome: how many phones have one of the documents that it changed."""
        if self._target is not None:
            self._phones = count_phones()

    def outcome(self, outcome: Outcome) -> None:
        """Note what became of a commit; the rest is done by `run`."""
        if self._target is None:
            return
        status = status_of(outcome, self._phones)
        if outcome.verdict is Verdict.APPLIED:
            self._phones = None
        found = [status] if status is not None else []
        if outcome.verdict is Verdict.UNCHANGED:
            found = self._untold(outcome.commit)
        if outcome.verdict is Verdict.SUPERSEDED:
            found = [
                superseded(one) for one in self._table.superseded if one.revision.commit == outcome.commit
            ] or found
        for one in found:
            self._outbox.put(one)
            self._wanted.set()

    def _untold(self, commit: str) -> list[CommitStatus]:
        """The recorded verdict, when the process ended before the outbox had it: that may still say another one.

        Compared is the state alone: how many phones a change reached is not recorded.
        """
        recorded = recorded_statuses(self._table, commit)
        known = self._outbox.state_of(commit)
        return recorded if recorded and (known is State.PENDING or known is not recorded[-1].state) else []

    def facts(self) -> dict[str, Any] | None:
        """For `status`; None when nobody is told."""
        if self._target is None:
            return None
        return {
            "pending": self._outbox.waiting,
            "last_sent": self._last_sent,
            "last_error": self._trouble,
            "last_dropped": self._last_dropped,
        }

    async def run(self) -> None:
        """Deliver what waits, for as long as the server runs. It raises nothing."""
        while self._target is not None:
            try:
                await self._outbox.save()
                self._wanted.clear()
                status = self._outbox.next()
                if status is None:
                    await self._wanted.wait()
                    continue
                pause = await self._deliver(self._target, status)
            except Exception:
                logger.exception("commit statuses: a bug; trying again in %g s", AFTER_A_BUG)
                pause = AFTER_A_BUG
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Wait; what comes meanwhile is made durable."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            try:
                async with asyncio.timeout_at(end):
                    await self._wanted.wait()
            except TimeoutError:
                return
            self._wanted.clear()
            await self._outbox.save()

    async def _deliver(self, target: StatusTarget, status: CommitStatus) -> float:
        """Try once; the seconds until the next try of anything."""
        reply = await self._send(target, status)
        self._metrics.commit_statuses.labels(type(reply).__name__.lower()).inc()
        told = {"at": iso(self._wall()), "commit": status.commit, "state": str(status.state)}
        match reply:
            case Delivered():
                logger.debug("commit status sent rev=%s state=%s", status.commit[:12], status.state)
                if self._trouble is not None:
                    logger.info("commit statuses are delivered again")
                self._trouble, self._failures, self._last_sent = None, 0, told
            case Dropped(reason):
                logger.warning(
                    "commit status refused for good rev=%s state=%s: %s", status.commit[:12], status.state, reason
                )
                self._last_dropped, self._failures = told | {"reason": reason}, 0
            case Later(reason, seconds):
                return self._later(status, reason, seconds)
        self._outbox.settle(status)
        return 0.0

    def _later(self, status: CommitStatus, reason: str, seconds: float | None) -> float:
        if reason != self._trouble:  # once, not at every try
            logger.warning("commit status not delivered, it is tried again rev=%s: %s", status.commit[:12], reason)
        self._trouble = reason
        self._outbox.defer(status)
        pause = min(FIRST_PAUSE * 2.0 ** min(self._failures, 32), LONGEST_PAUSE) * (0.5 + self._jitter() / 2)
        self._failures += 1
        # Not all servers at the very second that the forge names.
        return pause if seconds is None else max(pause, seconds * (1 + self._jitter() / 10))

    async def _send(self, target: StatusTarget, status: CommitStatus) -> Reply:
        from gitops_profile.http import ForgeUnreachable, StatusClient  # with aiohttp: few servers need it

        if self._client is None:
            self._client = StatusClient()
        try:
            request = status_request(target, status, await asyncio.to_thread(self._read_token))
            answer = await self._client.send(request)
        except OSError as error:
            return Later(f"the token file cannot be read: {error.strerror}")
        except (ValueError, ForgeUnreachable) as error:
            return Later(str(error))
        return judge(target.provider, answer.status, answer.headers, answer.body, self._wall())

    def _read_token(self) -> str:
        """As it is now: tokens are renewed. Raises OSError."""
        assert self._token_file is not None  # the settings see to it
        with self._token_file.open("rb") as file:
            return file.read(MAX_TOKEN).decode("ascii", "replace").strip()
