"""Where the profiles come from: a repository of this machine, or a clone of a remote in the state folder."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from gitops_profile.config import Config
from gitops_profile.metrics import Metrics
from gitops_profile.source import (
    Clone,
    CloneSettings,
    FetchReport,
    NotARepository,
    RefTracker,
    RemoteAccess,
    Revision,
    SourceStatus,
    SourceUnavailable,
    glance,
    parse_address,
)
from gitops_profile.state import StateFolder

from . import views

if TYPE_CHECKING:
    from gitops_profile.source import Repository

P = ParamSpec("P")
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)

GIT_SECONDS = 5.0
"""For git to open a repository, where a log can serve without it."""


class Source:
    """The repository of a server, whatever it is: `location` for readers, `tracker` for what is new."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        """Raises NotARepository for a URL or ref that can never work; touches nothing."""
        self._opened: Repository | None = None
        self._closed_for = "the repository is not open yet"
        self._config = config
        self._metrics = metrics
        address = parse_address(config.repository.url)
        self._clone: Clone | None = None
        self._asking = asyncio.Lock()
        """A Repository is not for two at once."""
        if isinstance(address, Path):
            self.location = address
            self.tracker = RefTracker(self.location, config.repository.ref, poll=config.repository.poll)
            return
        settings, limits = config.repository, config.limits
        self.location = StateFolder(config.state).clone
        access = RemoteAccess(
            username=settings.username,
            token=settings.token.get_secret_value() if settings.token is not None else None,
            token_file=settings.token_file,
            ssh_key=settings.ssh_key and settings.ssh_key.absolute(),
            known_hosts=settings.known_hosts and settings.known_hosts.absolute(),
            ca_file=settings.ca_file and settings.ca_file.absolute(),
        )
        how = CloneSettings(settings.timeout, limits.repository_bytes, settings.history)
        self._clone = Clone(address, settings.ref, self.location, access, how, self._fetched)
        self.tracker = RefTracker(self.location, settings.ref, poll=settings.fetch, clone=self._clone)

    @property
    def is_remote(self) -> bool:
        """Whether it is fetched from somewhere."""
        return self._clone is not None

    async def open(self) -> None:
        """Open the repository; of a remote only by who holds the state folder. A second time does nothing.

        Raises NotARepository, SourceUnavailable.
        """
        if self._opened is not None:
            return
        if self._clone is not None:
            await self._clone.prepare()
        try:
            opened = await asyncio.to_thread(_open, self.location)
            await asyncio.to_thread(self.tracker.open)
        except (NotARepository, SourceUnavailable) as error:
            self._closed_for = str(error)
            raise
        self._opened = opened

    async def open_soon(self) -> None:
        """The same for a server whose log serves meanwhile: git that hangs keeps no phone waiting for it."""
        try:
            async with asyncio.timeout(GIT_SECONDS):
                await self.open()
        except TimeoutError as error:
            self._closed_for = f"git said nothing for {GIT_SECONDS:g} seconds: it is awaited"
            logger.warning("source unavailable: %s", self._closed_for)
            raise SourceUnavailable(self._closed_for) from error

    @property
    def repository(self) -> Repository:
        """It; raises SourceUnavailable before it is open."""
        if self._opened is None:
            raise SourceUnavailable(self._closed_for)
        return self._opened

    def glance(self) -> str | None:
        """The commit of the ref where a look at files tells it, before it is open; None where git has to be asked."""
        return glance(self.location, self._config.repository.ref) if self._clone is None else None

    async def check_ref(self, *, served_before: bool) -> None:
        """A ref that is not there is a mistake, unless the repository is empty or a log can serve without it.

        Raises NotARepository for the mistake.
        """
        ref = self._config.repository.ref
        try:
            found = await self.resolve(ref)
        except SourceUnavailable as error:
            logger.warning("source unavailable: %s", error)
            return
        if found is None and not self.repository.is_empty and not served_before:
            where = self.repository.git_dir
            raise NotARepository(f"the ref {ref!r} does not exist in {where}; name a branch or tag of it with --ref")

    async def close(self) -> None:
        """End every git process."""
        await self.tracker.close()
        if self._opened is not None:
            await asyncio.to_thread(self._opened.close)

    async def is_ancestor(self, old: str, new: str) -> bool:
        """Whether the ref has only gone on from one commit to the other; raises SourceUnavailable.

        A clone that does not have its whole history would say no too often: it is then filled up.
        """
        if await self._ask(self.repository.is_ancestor, old, new):
            return True
        if self._clone is None or not await self._clone.deepen():
            return False
        return await self._ask(self.repository.is_ancestor, old, new)

    async def between(self, old: str, new: str, limit: int) -> tuple[Sequence[Revision], int]:
        """What the ref went past from one commit to the other, as `Repository.first_parents` tells it."""
        if self._clone is not None:
            await self.is_ancestor(old, new)  # which fetches the history that is missing
        return await self._ask(self.repository.first_parents, old, new, limit)

    async def brings_urgent(self, old: str, new: str) -> bool:
        """As `Repository.brings_urgent`; a clone's missing history is fetched.

        Where that cannot be had, nobody said so: it is no reason for a revision to wait.
        """
        try:
            if self._clone is not None:
                await self.is_ancestor(old, new)
            try:
                return await self._ask(self.repository.brings_urgent, old, new)
            except SourceUnavailable:
                if self._clone is None or not await self._clone.deepen():
                    raise
                return await self._ask(self.repository.brings_urgent, old, new)
        except SourceUnavailable as error:
            logger.warning("whether a commit before %s says `Deliver: now` is not known: %s", new[:12], error)
            return False

    async def resolve(self, ref: str) -> str | None:
        """As `Repository.resolve`."""
        return await self._ask(self.repository.resolve, ref)

    async def _ask(self, question: Callable[P, Answer], *arguments: P.args, **options: P.kwargs) -> Answer:
        async with self._asking:
            return await asyncio.to_thread(question, *arguments, **options)

    async def unseen(self, old: str, new: str, limit: int) -> Sequence[str]:
        """At most `limit` commits that the new one has in its history and the old one has not.

        A clone's missing history is fetched where a merge may have come from behind it. Raises SourceUnavailable.
        """
        if self._clone is not None:
            await self.is_ancestor(old, new)
        try:
            found = await self._ask(self.repository.unseen, old, new, limit)
        except SourceUnavailable:
            if self._clone is None or not await self._clone.deepen():
                raise
            found = await self._ask(self.repository.unseen, old, new, limit)
        is_line = all(len(parents) == 1 for _, parents in found)
        if self._clone is not None and not is_line and await self._clone.deepen():
            found = await self._ask(self.repository.unseen, old, new, limit)
        return [commit for commit, _ in found]

    def facts(self) -> dict[str, object]:
        """For `status`."""
        status: SourceStatus = self.tracker.status
        return {
            "url": status.url,
            "remote": status.remote,
            "last_fetch": views.iso(status.last_fetch) if status.last_fetch is not None else None,
            "last_fetch_error": status.last_fetch_error,
            "next_fetch": views.iso(status.next_fetch) if status.next_fetch is not None else None,
        }

    def _fetched(self, report: FetchReport) -> None:
        self._metrics.fetches.labels(report.result).inc()
        self._metrics.fetch_seconds.observe(report.seconds)
        if report.error is None:
            self._metrics.last_fetch.set_to_current_time()


def _open(location: Path) -> Repository:
    from gitops_profile.source import Repository  # with GitPython: 0.04 s, that a start may be spared

    return Repository(location)
