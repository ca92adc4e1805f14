"""Yields each new revision of a ref: at once when its file moves, at intervals in any case, and when nudged."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from .errors import SourceUnavailable
from .process import Place
from .repository import Repository
from .revision import Revision

logger = logging.getLogger(__name__)

SETTLE = 0.05
"""Seconds after which a move is looked at once more: a folder of refs may appear before the ref in it."""
_MOVES = frozenset({"created", "modified", "moved", "deleted"})


@dataclass(frozen=True, slots=True)
class RefGone:
    """The ref does not exist (any more)."""

    ref: str


class _Handler(FileSystemEventHandler):
    """Runs in watchdog's thread: forwards what can have moved a ref, and nothing that reading causes."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _MOVES:
            return
        for path in (event.src_path, event.dest_path):
            text = path if isinstance(path, str) else path.decode("utf-8", "surrogateescape")
            if "/refs/" in text or text.endswith(("/refs", "/packed-refs", "/HEAD", "/tables.list")):
                if not text.endswith(".lock"):
                    self._moved()
                    return


class RefTracker:
    """Follows one ref of one repository."""

    def __init__(self, location: Path, ref: str, *, poll: float = 30.0, watch: bool = True) -> None:
        """`poll` is in seconds; `watch=False` leaves only the poll. Raises NotARepository."""
        self._repository = Repository(location)
        self._ref = ref
        self._poll = poll
        self._watch = watch
        self._wanted = asyncio.Event()
        self._observer: object | None = None
        self._watched: Place | None = None
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why git could not be asked at the last look; empty when it could."""
        return self._trouble

    def nudge(self) -> None:
        """Look now."""
        self._wanted.set()

    async def __aiter__(self) -> AsyncIterator[Revision | RefGone]:
        """Each revision once, the first look included; RefGone when the ref is not there."""
        last: str | None = None
        first = True
        while True:
            self._wanted.clear()
            try:
                if self._watch:
                    await self._watch_place()
                commit = await asyncio.to_thread(self._repository.resolve, self._ref)
                if commit is None and (last is not None or first):
                    self._log_gone()
                    yield RefGone(self._ref)
                elif commit is not None and commit != last:
                    yield await asyncio.to_thread(self._repository.revision, commit)
                last, first = commit, False
                self._trouble = ""
            except SourceUnavailable as error:
                if str(error) != self._trouble:  # once, not at every look
                    logger.warning("source unavailable ref=%s: %s", self._ref, error)
                self._trouble = str(error)
            try:
                async with asyncio.timeout(self._poll):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Stop watching and end the git processes."""
        await self._stop_watching()
        await asyncio.to_thread(self._repository.close)

    def _moved(self) -> None:
        self._wanted.set()
        asyncio.get_running_loop().call_later(SETTLE, self._wanted.set)

    def _log_gone(self) -> None:
        if self._repository.is_empty:
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

        observer = Observer()
        handler = _Handler(moved)
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
