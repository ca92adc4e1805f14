"""Suspends and resumes the application of revisions, and keeps what is held back meanwhile."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gitops_profile.eventlog import VersionConflict
from gitops_profile.loader import LOADER_VERSION
from gitops_profile.presentity import (
    ApplicationResumed,
    ApplicationSuspended,
    InvalidKey,
    PresentityEvent,
    ProfileKey,
)
from gitops_profile.source import PathNotFound, SourceUnavailable

from .differ import diff
from .journal import Journal
from .loading import Loaded, LoaderProcess, LoadStalled
from .suspension import ALL, Changes, Division, changes_of, covers, divide
from .wire import path_text

logger = logging.getLogger(__name__)

MAX_SUSPENSIONS = 1000
"""Scopes suspended at a time."""
EVERYTHING = "everything is suspended; to go on: gitops-profile resume"
"""Why a revision is not applied."""
MAX_REASON = 1000
"""Characters of a reason."""


class NoSuchScope(Exception):
    """Nothing is there to be suspended, or to be resumed; the message says what is."""


class Suspending:
    """What is suspended, and what therefore differs from the revision in force."""

    def __init__(
        self, journal: Journal, loading: LoaderProcess, folder: str, path: str,
        on_changed: Callable[[Sequence[ProfileKey]], None],
    ) -> None:  # fmt: skip
        self._journal = journal
        self._loading = loading
        self._folder = folder
        self._path = path
        """The same folder as the log has it."""
        self._on_changed = on_changed
        self._held: tuple[str, Changes] = ("", {})
        """Commit in force, and what of it is held back."""
        self.turn = asyncio.Lock()
        """Held by whoever uses the loader process: one revision at a time."""

    @property
    def everything(self) -> bool:
        """Whether no revision is applied at all."""
        return ALL in self._journal.table.suspensions

    @property
    def held(self) -> Changes | None:
        """What is held back of the revision in force; None when that has to be found out first, by `prepare`."""
        applied = self._journal.table.applied
        if applied is None or not applied.held_back:
            return {}
        return self._held[1] if self._held[0] == applied.revision.commit else None

    async def prepare(self) -> None:
        """After a restart: find out what is held back. Costs one load of everything, and only when something is.

        A revision that git does not have any more, or that cannot be loaded now, stays unknown: the next one is then
        loaded whole.
        """
        applied = self._journal.table.applied
        same = applied is not None and (applied.path, applied.loader_version) == (self._path, LOADER_VERSION)
        if applied is None or self.held is not None or not same:
            return
        commit = applied.revision.commit
        try:
            loaded = await self._loading.load(commit, None, self._folder)
        except (LoadStalled, PathNotFound, SourceUnavailable) as error:
            logger.warning("what is held back of rev=%s is not known: %s", commit[:12], error)
            return
        if loaded.problems:
            logger.warning("what is held back of rev=%s is not known: %s", commit[:12], loaded.problems[0])
            return
        self._held = (commit, await asyncio.to_thread(self._changes, loaded, {}))
        await self._loading.accept()

    async def divide(self, loaded: Loaded) -> tuple[Loaded, Changes]:
        """What of a load comes into force, as a load; and what is held back then."""
        held, scopes = self.held or {}, set(self._journal.table.suspensions)
        if not held and not scopes:
            return loaded, {}
        # In a thread, as the table may have many profiles (I8).
        division = await asyncio.to_thread(self._divide, loaded, held, scopes)
        now = replace(loaded, documents=division.documents, removed=division.removed, whole=False)
        return now, division.held

    def applied(self, commit: str, held: Changes) -> None:
        """A revision is in force, but for what is held back."""
        self._held = (commit, held)

    async def suspend(self, scope: str, by: str, reason: str) -> tuple[ApplicationSuspended, bool]:
        """Stop applying revisions to a scope, from now on; whether it was not suspended before.

        Raises NoSuchScope, LogUnavailable.
        """
        table = self._journal.table
        name = await self._scope(scope)
        if (known := table.suspensions.get(name)) is not None:
            return known, False
        if len(table.suspensions) >= MAX_SUSPENSIONS:
            raise NoSuchScope(f"{MAX_SUSPENSIONS} scopes are suspended already; suspend a folder above them instead")
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = ApplicationSuspended(name, by, " ".join(path_text(reason).split())[:MAX_REASON], at)
        await self._journal.append([event])
        logger.info("application suspended scope=%s by=%s", name, by)
        return event, True

    async def resume(self, scope: str, by: str) -> tuple[str, int]:
        """Follow git again in a scope: what was held back comes into force, in one batch.

        The scope as it was recorded, and how many profiles came into force.

        Raises NoSuchScope, SourceUnavailable, LogUnavailable; then it is still suspended.
        """
        async with self.turn:
            await self.prepare()
            while True:
                position, name = self._journal.position, self._suspended(scope)
                events, division = await self._release(name)
                left = len(division.held)
                try:
                    batch = [*events, ApplicationResumed(name, by, left)]
                    keys = await self._journal.append(batch, decided_at=position)
                except VersionConflict:
                    if self._journal.position == position:
                        raise  # not by the journal's own doing: trying again would not end
                    continue  # somebody suspended something meanwhile
                break
            applied = self._journal.table.applied
            self._held = (applied.revision.commit if applied is not None else "", division.held)
        logger.info("application resumed scope=%s by=%s profiles=%d", name, by, len(events))
        if keys:
            self._on_changed(keys)
        await self._journal.release()
        return name, len(events)

    async def _release(self, name: str) -> tuple[list[PresentityEvent], Division]:
        """What comes into force when a scope is no longer suspended."""
        table, held = self._journal.table, self.held
        if held is None:
            raise SourceUnavailable("what is held back cannot be loaded from git; see: gitops-profile status")
        scopes = set(table.suspensions) - {name}
        if table.applied is None:
            return [], Division({}, frozenset(), {})
        division = await asyncio.to_thread(divide, held, table, scopes)
        stamp = table.applied.revision
        events = await asyncio.to_thread(diff, division.documents, division.removed, table, stamp, whole=False)
        return list(events), division

    def _changes(self, loaded: Loaded, held: Changes) -> Changes:
        return changes_of(loaded.documents, loaded.removed, self._journal.table, held, whole=loaded.whole)

    def _divide(self, loaded: Loaded, held: Changes, scopes: set[str]) -> Division:
        return divide(self._changes(loaded, held), self._journal.table, scopes)

    async def _scope(self, text: str) -> str:
        """A scope in the one form in which it is recorded; raises NoSuchScope."""
        name = text.strip().strip("/")
        if name in (ALL, *self._journal.table.suspensions):
            return name
        table = self._journal.table
        key = _key(name)
        if key is not None and table.resolve(key) is not None:
            return str(key)
        documents = list(table)  # in a thread, while the table goes on
        if await asyncio.to_thread(lambda: any(covers((name,), document) for document in documents)):
            return name
        raise NoSuchScope(f"there is no profile and no folder {name!r}; gitops-profile get presentities lists them")

    def _suspended(self, text: str) -> str:
        """The suspended scope that is meant; raises NoSuchScope."""
        name, suspended = text.strip().strip("/"), self._journal.table.suspensions
        for found in (name, str(_key(name))):
            if found in suspended:
                return found
        others = ", ".join(sorted(suspended)[:10])
        raise NoSuchScope(f"{name} is not suspended; " + (f"suspended are: {others}" if others else "nothing is"))


def _key(text: str) -> ProfileKey | None:
    try:
        return ProfileKey.parse(text)
    except InvalidKey:
        return None
