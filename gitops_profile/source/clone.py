"""A clone that belongs to the server: one ref of a remote, fetched, filled up with its history, and made anew when it
is damaged.

The newest commit comes first and alone, so that phones wait for nothing else; its history follows in steps. A commit is
fetched with all its files: a partial clone (`--filter`) would go to the remote, which may be down, while it is read.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .access import Hidden, RemoteAccess, as_variables, environment, plain
from .address import RemoteAddress
from .clone_folder import COMMIT_REF, HEAD_REF, CloneFolder
from .errors import NotARepository, SourceUnavailable
from .leash import Ended, run_git
from .refs import OBJECT_ID, is_ref_name
from .trouble import NO_GIT, Blame, explain, talked_git

logger = logging.getLogger(__name__)

LONG = 10
"""How many times longer than another fetch the first one may take, and one that brings history."""
FIRST_STEP = 500
"""Commits of history in the first step; each next one brings twice as many."""
HISTORY_PAUSE = 600.0
"""Seconds until history is tried again after it failed."""
CHECK_PAUSE = 60.0
"""Seconds between two looks at every object of the clone."""
MAINTENANCE_PAUSE = 3600.0
_OTHER = {"sha1": "sha256", "sha256": "sha1"}
"""The kinds of object ids."""


@dataclass(frozen=True, slots=True)
class CloneSettings:
    """How much, and for how long."""

    timeout: float = 120.0
    """Seconds for one fetch; `LONG` times as many where history comes."""
    file_bytes: int = 2 << 30
    """The longest pack."""
    history: bool = True
    """Whether history follows the newest commit; without it, only when it is needed."""


@dataclass(frozen=True, slots=True)
class FetchReport:
    """One fetch."""

    result: str
    """`updated`, `unchanged`, `gone` (no such ref) or `failed`."""
    seconds: float
    error: str | None = None


class _Failed(Exception):
    """A fetch failed."""

    def __init__(self, blame: Blame, line: str) -> None:
        super().__init__(line)
        self.blame = blame


class Clone:
    """The clone. One task fetches; `deepen` may be called by another."""

    def __init__(
        self,
        address: RemoteAddress,
        ref: str,
        folder: Path,
        access: RemoteAccess,
        settings: CloneSettings,
        on_fetch: Callable[[FetchReport], None] = lambda report: None,
    ) -> None:
        """Raises NotARepository for what can be no ref."""
        self.address = address
        self.path = folder
        self._folder = CloneFolder(folder)
        self._access = access
        self._settings = settings
        self._on_fetch = on_fetch
        self._sources = _sources(ref)
        self._busy = asyncio.Lock()
        self._damaged = False
        self._doubted = False
        self._checked_at = -CHECK_PAUSE
        self._object_format = "sha1"
        """That of the next clone; which one the remote has is known by its refusal of the other."""
        self._whole = False
        """The remote gives nothing but whole histories."""
        self._step = FIRST_STEP
        self._no_history_until = 0.0 if settings.history else float("inf")
        self._maintained_at = time.monotonic()
        self.generation = 0
        """Grows when the clone was made anew: what was read from it may be read again."""

    async def prepare(self) -> None:
        """Make the folder usable, without the remote. The caller holds the state folder. Raises SourceUnavailable."""
        await asyncio.to_thread(self._folder.prepare, self.address.url)

    def doubt(self) -> bool:
        """Something in it could not be read: the next fetch looks at every object. False when it has just done so."""
        if not self._damaged and time.monotonic() - self._checked_at < CHECK_PAUSE:
            return False
        self._doubted = True
        return True

    @property
    def wants_history(self) -> bool:
        """Whether another fetch should follow at once."""
        return bool(self._folder.boundary()) and self._may_deepen()

    async def fetch(self) -> FetchReport:
        """Bring the ref to where it is at the remote. Raises SourceUnavailable, after which it is as it was before."""
        began = time.monotonic()
        try:
            async with self._busy:
                result = await self._fetch()
        except SourceUnavailable as error:
            report = FetchReport("failed", time.monotonic() - began, str(error))
            self._on_fetch(report)
            raise
        report = FetchReport(result, time.monotonic() - began)
        self._on_fetch(report)
        return report

    async def deepen(self) -> bool:
        """Fetch the history that is missing, all of it; False when none was or when the remote cannot give it.

        Raises SourceUnavailable when it could not be asked.
        """
        async with self._busy:
            if not await asyncio.to_thread(self._folder.boundary):
                return False
            surroundings, hidden = await self._environment()
            source, destination = self._sources[-1]
            try:
                await self._run(self._folder, source, destination, ["--unshallow"], surroundings, hidden)
            except _Failed as failed:
                if failed.blame in (Blame.REF, Blame.SHALLOW):
                    return False
                self._damaged = failed.blame is Blame.WRECK
                raise SourceUnavailable(f"the history of {self.address} could not be fetched: {failed}") from failed
        return True

    async def maintain(self) -> None:
        """Pack what many fetches have brought, once in a while; what no ref leads to stays for two weeks."""
        if time.monotonic() - self._maintained_at < MAINTENANCE_PAUSE:
            return
        self._maintained_at = time.monotonic()
        async with self._busy:
            ended = await self._local("gc", "--auto", "--quiet")
        if ended is None or ended.status:
            logger.info("git gc of the clone failed: %s", explain(ended.said)[1] if ended else "it took too long")

    # -- one fetch -----------------------------------------------------------------------------------------------

    async def _fetch(self) -> str:
        surroundings, hidden = await self._environment()
        if await asyncio.to_thread(lambda: self._folder.is_wrecked):
            self._damaged = True
        if self._doubted or self._damaged:
            await self._mend(surroundings, hidden)
        before = await asyncio.to_thread(self._heads, self._folder)
        try:
            await self._bring(self._folder, surroundings, hidden)
        except _Failed as failed:
            self._damaged = failed.blame in (Blame.WRECK, Blame.FORMAT)
            if self._damaged or (failed.blame in (Blame.CLONE, Blame.UNKNOWN) and self.doubt()):
                await self._mend(surroundings, hidden, after=failed)
            else:
                raise SourceUnavailable(f"{self.address}: {failed}") from failed
        after = await asyncio.to_thread(self._heads, self._folder)
        if not any(after):
            return "gone"
        return "unchanged" if after == before else "updated"

    def _heads(self, folder: CloneFolder) -> list[str | None]:
        return [folder.ref(destination) for _, destination in self._sources]

    async def _bring(self, folder: CloneFolder, surroundings: dict[str, str], hidden: Hidden) -> None:
        """Fetch the first of the sources that the remote has; those before it are not there. Raises _Failed."""
        missing = []
        for number, (source, destination) in enumerate(self._sources):
            try:
                await self._bring_one(folder, source, destination, surroundings, hidden)
            except _Failed as failed:
                if failed.blame is not Blame.REF:
                    raise
                missing.append(destination)
            else:
                # A branch that was followed and vanishes is gone: who may push a tag must not take its place.
                self._sources = self._sources[: number + 1]
                break
        if len(missing) == len(self._sources) and self.address.scheme in ("http", "https"):
            await self._confirm(folder, surroundings, hidden)
        for name in missing:
            if await asyncio.to_thread(folder.ref, name) is not None:
                await asyncio.to_thread(folder.drop, name)

    async def _confirm(self, folder: CloneFolder, surroundings: dict[str, str], hidden: Hidden) -> None:
        """Make sure that it is a git server which has no such ref. Raises _Failed."""
        arguments = ["ls-remote", "--quiet", "--", self.address.url, self._sources[0][0]]
        surroundings = surroundings | {"GIT_TRACE_PACKET": "2"}
        traced = await self._ask(folder, arguments, surroundings, self._settings.timeout)
        if not talked_git(traced.said):
            raise _Failed(Blame.REMOTE, NO_GIT)

    async def _bring_one(
        self, folder: CloneFolder, source: str, destination: str, surroundings: dict[str, str], hidden: Hidden
    ) -> None:
        empty, boundary = await asyncio.to_thread(lambda: (folder.is_empty, folder.boundary()))
        if empty and not self._whole:
            try:
                return await self._run(folder, source, destination, ["--depth=1"], surroundings, hidden)
            except _Failed as failed:
                if failed.blame is not Blame.SHALLOW:
                    raise
                self._whole = True
        elif boundary and self._may_deepen():
            try:
                await self._run(folder, source, destination, [f"--deepen={self._step}"], surroundings, hidden)
                if await asyncio.to_thread(folder.boundary) == boundary:
                    self._no_history_until = float("inf")  # the remote has no more of it itself
                self._step *= 2
                return None
            except _Failed as failed:
                if failed.blame in (Blame.REF, Blame.CLONE, Blame.WRECK):
                    raise
                self._no_history_until = time.monotonic() + HISTORY_PAUSE
                logger.warning("the history could not be fetched, only the newest commit: %s", failed)
        await self._run(folder, source, destination, [], surroundings, hidden)

    def _may_deepen(self) -> bool:
        return not self._whole and time.monotonic() >= self._no_history_until

    async def _run(
        self, folder: CloneFolder, source: str, destination: str, options: list[str],
        surroundings: dict[str, str], hidden: Hidden,
    ) -> None:  # fmt: skip
        """One `git fetch`; raises _Failed. Locks that a killed command has left are taken away, once."""
        long = bool(options) or self._whole
        seconds = self._settings.timeout * (LONG if long else 1)
        arguments = [
            "fetch", "--quiet", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
            "--no-show-forced-updates", "--update-shallow", *options, "--", self.address.url,
            f"+{source}:{destination}",
        ]  # fmt: skip
        for last in (False, True):
            ended = await self._ask(folder, arguments, surroundings, seconds)
            if not ended.status:
                return
            blame, line = explain(hidden.without(ended.said))
            if blame is not Blame.LOCKS or last:
                raise _Failed(blame, line)
            await asyncio.to_thread(folder.tidy)

    async def _ask(
        self, folder: CloneFolder, arguments: list[str], surroundings: dict[str, str], seconds: float
    ) -> Ended:
        """A command that goes to the remote; raises _Failed when it takes too long."""
        try:
            return await run_git(
                arguments, folder=folder.path, seconds=seconds, file_bytes=self._settings.file_bytes,
                environment=surroundings | {"GIT_DIR": str(folder.path.absolute())},
            )  # fmt: skip
        except TimeoutError:
            await asyncio.to_thread(folder.tidy)
            line = f"the remote did not finish within {seconds:g} seconds; it is tried again"
            raise _Failed(Blame.REMOTE, line) from None

    # -- a damaged clone -----------------------------------------------------------------------------------------

    async def _mend(self, surroundings: dict[str, str], hidden: Hidden, after: _Failed | None = None) -> None:
        """Look at every object, and clone anew when one is damaged. `after` is raised when none is."""
        if not self._damaged:
            self._damaged = await self._is_damaged()
            self._doubted = False
        if not self._damaged:
            if after is not None:
                raise SourceUnavailable(f"{self.address}: {after}")
            return
        why, level = "the clone is damaged", logging.WARNING
        if after is not None and after.blame is Blame.FORMAT:  # as at the first fetch from one with SHA-256
            why, level = "the clone has object ids of another kind than the remote", logging.INFO
        fresh = CloneFolder(self._folder.beside("new"))
        try:
            await self._bring_anew(fresh, surroundings, hidden)
        except _Failed as failed:
            raise SourceUnavailable(f"{why}, and a new one cannot be fetched: {self.address}: {failed}") from failed
        await asyncio.to_thread(self._folder.replace_by, fresh)
        self._damaged = self._doubted = False
        self._step = FIRST_STEP
        self.generation += 1
        logger.log(level, "%s, and has been made anew from %s", why, self.address)

    async def _bring_anew(self, fresh: CloneFolder, surroundings: dict[str, str], hidden: Hidden) -> None:
        """Fetch into an empty clone, with the object ids that the remote has. Raises _Failed, SourceUnavailable."""
        try:
            await asyncio.to_thread(fresh.make_anew, self.address.url, self._object_format)
            return await self._bring(fresh, surroundings, hidden)
        except _Failed as failed:
            if failed.blame is not Blame.FORMAT:
                raise
        self._object_format = _OTHER[self._object_format]
        await asyncio.to_thread(fresh.make_anew, self.address.url, self._object_format)
        await self._bring(fresh, surroundings, hidden)

    async def _is_damaged(self) -> bool:
        self._checked_at = time.monotonic()
        ended = await self._local("fsck", "--full", "--no-dangling", "--no-reflogs", "--no-progress")
        if ended is not None and ended.status:
            logger.warning("the clone is damaged: %s", explain(ended.said)[1])
        return ended is not None and ended.status != 0

    async def _local(self, *arguments: str) -> Ended | None:
        """A command that does not go to the remote; None when it took too long."""
        # In the foreground: what goes on in the background is on no leash.
        surroundings = plain() | as_variables({"gc.autoDetach": "false"}) | {"GIT_DIR": str(self.path.absolute())}
        try:
            return await run_git(
                arguments, folder=self.path, environment=surroundings, seconds=self._settings.timeout * LONG,
                file_bytes=self._settings.file_bytes,
            )  # fmt: skip
        except TimeoutError:
            return None

    async def _environment(self) -> tuple[dict[str, str], Hidden]:
        return await asyncio.to_thread(environment, self.address, self._access)


def _sources(ref: str) -> list[tuple[str, str]]:
    """What may be meant at the remote, the likelier first, and where it is kept. Raises NotARepository."""
    if ref == "HEAD":
        return [("HEAD", HEAD_REF)]
    if OBJECT_ID.fullmatch(ref):
        return [(ref, COMMIT_REF)]
    if not is_ref_name(ref):
        raise NotARepository(f"{ref!r} is no name of a branch or tag; name one with --ref")
    if ref.startswith("refs/"):
        return [(ref, ref)]
    return [(name, name) for name in (f"refs/heads/{ref}", f"refs/tags/{ref}")]
