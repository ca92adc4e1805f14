"""Yields each new revision of a ref: at once when its file moves, at intervals in any case, and when nudged.

With a clone that belongs to the server, looking is fetching: nothing else moves its refs.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .clone import Clone
from .errors import NotARepository, SourceUnavailable
from .revision import Revision
from .schedule import FetchSchedule
from .trouble import shown

if TYPE_CHECKING:
    from .process import Place
    from .repository import Repository

logger = logging.getLogger(__name__)

SETTLE = 0.05
"""Seconds after which a move is looked at once more: a folder of refs may appear before the ref in it."""


@dataclass(frozen=True, slots=True)
class RefGone:
    """The ref does not exist (any more)."""

    ref: str


@dataclass(frozen=True, slots=True)
class SourceDown:
    """What the ref is at is not known yet: the remote has to answer, or a repository of this machine to be mended."""

    reason: str


@dataclass(slots=True)
class SourceStatus:
    """How looking at the repository has gone, for people."""

    url: str
    """It has no secret in it."""
    remote: bool
    last_fetch: float | None = None
    """When a remote last answered, in Unix seconds; None for a repository of this machine, too."""
    last_fetch_error: str | None = None
    """Why the repository cannot be read now; None when it can."""
    next_fetch: float | None = None


class RefTracker:
    """Follows one ref of one repository."""

    def __init__(
        self,
        location: Path,
        ref: str,
        *,
        poll: float = 30.0,
        watch: bool = True,
        clone: Clone | None = None,
    ) -> None:
        """`poll` is in seconds; `watch=False` leaves only the poll. With a `clone`, which is at `location`, `poll` is
        the interval of fetching and nothing is watched. Nothing is touched before `open`, or the first look.
        """
        self._location = location
        self._opened: Repository | None = None
        self._ref = ref
        self._poll = poll
        self._clone = clone
        self._watch = watch and clone is None
        self._wanted = asyncio.Event()
        self._observer: object | None = None
        self._watched: Place | None = None
        self._schedule = FetchSchedule(poll, random.random)
        self._looked = asyncio.Condition()
        self._begun = self._ended = 0
        """Looks, counted."""
        self.status = SourceStatus(str(clone.address) if clone else str(location), clone is not None)

    def open(self) -> None:
        """Open the repository, once. Blocks; raises NotARepository."""
        if self._opened is None:
            from .repository import Repository  # GitPython takes 0.04 s, and runs git

            self._opened = Repository(self._location)

    async def await_opening(self, opening: Callable[[], Awaitable[None]]) -> None:
        """Until `opening` succeeds, each try of which counts as a look: for a server whose log serves meanwhile.

        It fails by raising NotARepository or SourceUnavailable.
        """
        while True:
            self._wanted.clear()
            self._begun += 1
            try:
                return await opening()
            except (NotARepository, SourceUnavailable) as error:
                await self._note(SourceUnavailable(str(error)))
            await self._pause()

    @property
    def _repository(self) -> Repository:
        assert self._opened is not None
        return self._opened

    @property
    def trouble(self) -> str:
        """Why git could not be asked at the last look; empty when it could."""
        return self.status.last_fetch_error or ""

    @property
    def is_looking(self) -> bool:
        """Whether a repository of this machine is being looked at; a fetch does not count, it may take long."""
        return self._clone is None and (self._wanted.is_set() or self._begun != self._ended)

    def nudge(self) -> None:
        """Look now; a remote is fetched from."""
        self._wanted.set()

    def doubt(self) -> None:
        """What the tracker yielded could not be read: a clone of the server's own is checked, and made anew."""
        if self._clone is not None and self._clone.doubt():
            self.nudge()

    async def look(self) -> None:
        """Look now, and return when that has been done; somebody must be iterating. Raises SourceUnavailable."""
        wanted = self._begun + 1
        self.nudge()
        async with self._looked:
            await self._looked.wait_for(lambda: self._ended >= wanted)
        if self.status.last_fetch_error is not None:
            raise SourceUnavailable(self.status.last_fetch_error)

    async def __aiter__(self) -> AsyncIterator[Revision | RefGone | SourceDown]:
        """Each revision once, the first look included; RefGone when the ref is not there. A commit is yielded again
        after the clone was made anew. SourceDown comes for each look until one has succeeded; of a clone, the first is
        what was fetched earlier, or SourceDown.
        """
        await asyncio.to_thread(self.open)
        last: str | None = None
        first, generation = True, 0
        if self._clone is not None:
            seen = await self._look_at_clone()
            yield seen
            last, first = (seen.commit, False) if isinstance(seen, Revision) else (None, True)
        while True:
            self._wanted.clear()
            self._begun += 1
            trouble = await self._refresh()
            if self._clone is not None and self._clone.generation != generation:
                last, generation = None, self._clone.generation
            try:
                commit = await asyncio.to_thread(self._repository.resolve, self._ref)
                # What a remote that does not answer has is not known.
                if commit is None and (last is not None or first) and trouble is None:
                    self._log_gone()
                    yield RefGone(self._ref)
                elif commit is not None and commit != last:
                    yield await asyncio.to_thread(self._repository.revision, commit)
                if commit is not None or trouble is None:
                    last, first = commit, False
            except SourceUnavailable as error:
                trouble = trouble or error
                self.doubt()
            await self._note(trouble)
            if first and trouble is not None and self._clone is None:
                yield SourceDown(str(trouble))  # whoever waits for the first look is to know that it was in vain
            await self._pause()

    async def _look_at_clone(self) -> Revision | SourceDown:
        """What was fetched before this server started, so that nobody waits for a remote that hangs."""
        try:
            commit = await asyncio.to_thread(self._repository.resolve, self._ref)
            if commit is None:
                return SourceDown("nothing was fetched yet")
            return await asyncio.to_thread(self._repository.revision, commit)
        except SourceUnavailable as error:
            self.doubt()
            return SourceDown(str(error))

    async def _refresh(self) -> SourceUnavailable | None:
        """What comes before looking at the ref: watch the repository where it is, or fetch."""
        try:
            if self._clone is not None:
                self._schedule.begin(time.monotonic())
                await self._clone.fetch()
            elif self._watch:
                await self._watch_place()
        except SourceUnavailable as error:
            return error
        return None

    async def _note(self, trouble: SourceUnavailable | None) -> None:
        """Tell how it went: once, not at every look."""
        now, status = time.monotonic(), self.status
        text = shown(str(trouble)) if trouble is not None and self._clone is not None else str(trouble or "")
        if text and text != status.last_fetch_error:
            logger.warning("source unavailable ref=%s: %s", self._ref, text)
        elif not text and status.last_fetch_error:
            logger.info("source available again ref=%s", self._ref)
        status.last_fetch_error = text or None
        if self._clone is not None:
            if trouble is None:
                status.last_fetch = time.time()
                self._schedule.succeeded(now, more=self._clone.wants_history)
            else:
                self._schedule.failed(now)
            status.next_fetch = time.time() + self._schedule.pause(now)
        async with self._looked:
            self._ended = self._begun
            self._looked.notify_all()

    async def _pause(self) -> None:
        """Until the next look is due or wanted."""
        if self._clone is not None and not self._wanted.is_set():
            await self._clone.maintain()
        pause = self._poll if self._clone is None else self._schedule.pause(time.monotonic())
        try:
            async with asyncio.timeout(pause):
                await self._wanted.wait()
        except TimeoutError:
            return
        if self._clone is not None:  # whoever nudges again and again does not hammer the remote
            await asyncio.sleep(self._schedule.floor(time.monotonic()))

    async def close(self) -> None:
        """Stop watching and end the git processes."""
        await self._stop_watching()
        if self._opened is not None:
            await asyncio.to_thread(self._opened.close)

    def _moved(self) -> None:
        self._wanted.set()
        asyncio.get_running_loop().call_later(SETTLE, self._wanted.set)

    def _log_gone(self) -> None:
        if self._clone is None and self._repository.is_empty:
            logger.warning("the repository is empty, waiting for the first commit on ref=%s", self._ref)
        else:
            logger.warning("ref=%s does not exist, waiting for it", self._ref)

    async def _watch_place(self) -> None:
        """Watch the repository where it is now: what was watched may have been moved away. Raises SourceUnavailable."""
        place = None
        try:
            place = self._repository.place()
        finally:
            if place != self._watched:
                await self._stop_watching()
        if place != self._watched:
            self._watched = place
            await asyncio.to_thread(import_module, f"{__package__}.watching")  # not in the loop's way
            self._start_watching()

    async def _stop_watching(self) -> None:
        self._watched = None
        if self._observer is not None:
            self._observer.stop()  # type: ignore[attr-defined]  # watchdog chooses the class by platform
            await asyncio.to_thread(self._observer.join)  # type: ignore[attr-defined]
            self._observer = None

    def _start_watching(self) -> None:
        """Watch where refs are kept; without it the poll still notices everything, later."""
        loop = asyncio.get_running_loop()

        def moved() -> None:
            loop.call_soon_threadsafe(self._moved)

        from .watching import Observer, RefHandler  # imported already; nobody else needs watchdog, which takes 0.03 s

        observer = Observer()
        handler = RefHandler(moved)
        try:
            common = self._repository.common_dir
            observer.schedule(handler, str(common), recursive=False)
            observer.schedule(handler, str(common / "refs"), recursive=True)
            if self._repository.git_dir != common:
                observer.schedule(handler, str(self._repository.git_dir), recursive=False)
            observer.start()
        except OSError as error:
            logger.warning("cannot watch the refs, looking every %g s instead: %s", self._poll, error)
            return
        self._observer = observer
