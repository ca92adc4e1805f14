"""The server's end of the loader process: asks, waits, and tells a file that ends it from a machine that does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gitops_profile.loader import Problem
from gitops_profile.presentity import NO_RULES, ProfileDocument, ProfileKey, RepositoryRules
from gitops_profile.processes import HEADER, module_command, without_settings
from gitops_profile.source import PathNotFound, SourceUnavailable

from .place import FilePlace
from .wire import pack, path_text, problem_of, unpack

if TYPE_CHECKING:
    from gitops_profile.loader import RepositorySettings

logger = logging.getLogger(__name__)

FILE_SECONDS = 5.0
"""How long one file may compute: CPU time, so that a busy machine rejects nobody. An honest template takes less than
a millisecond."""
SILENCE_SECONDS = 60.0
"""How long the loader process may say nothing at all: git hangs, or the machine has no time for it."""
MAX_STALLED = 5
"""Files of one revision over which the process is killed before the revision is given up."""
MAX_DEATHS = 3
"""How often a signal may end the process at one file before the file is at fault: the first time somebody sent it, or
the machine was short of memory."""
MEMORY_BYTES = 4 << 30
"""How much the loader process may allocate."""
Progress = Callable[[int, int], None]
Take = Callable[[Sequence[ProfileDocument]], None]
"""Given documents as they come, some hundred at a time; more may come, and a problem with them."""


class LoadStalled(Exception):
    """One file used up its time, or ended the loader process: its author must act."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


class _Died(Exception):
    """The loader process ended; `path` is the file it was at, "" when it was at none."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(slots=True)
class Loaded:
    """What the loader process found; the fields of `LoadResult`."""

    documents: dict[ProfileKey, ProfileDocument] = field(default_factory=dict)
    removed: frozenset[ProfileKey] = frozenset()
    problems: tuple[Problem, ...] = ()
    whole: bool = True
    settings: RepositorySettings = field(default_factory=lambda: _settings())
    rules: RepositoryRules = NO_RULES
    """Of the whole repository, also when only a change was loaded."""
    warnings: tuple[Problem, ...] = ()
    """Of `check` only."""
    count: int = 0
    """How many documents a check made; it keeps none of them."""


class LoaderProcess:
    """One loader process, started when first needed and again after it was killed."""

    def __init__(
        self,
        location: Path,
        *,
        file_seconds: float = FILE_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._location = location
        self._file_seconds = file_seconds
        self._silence_seconds = silence_seconds
        self._memory_bytes = memory_bytes
        self._process: Process | None = None
        self._place: FilePlace | None = None
        """Of the process: the file that it is at."""
        self._loaded: tuple[str, str] | None = None
        self._holds: tuple[str, str] | None = None
        """Commit and folder that the process has accepted, on which the next load can build."""
        self._about = ""
        """The commit of which the next two speak."""
        self._stalled: dict[str, str] = {}
        """Files that are left out, and why: they ended the process."""
        self._deaths: Counter[str] = Counter()

    async def load(
        self,
        commit: str,
        base: str | None,
        path: str,
        progress: Progress | None = None,
        taking: Callable[[], Take] | None = None,
    ) -> Loaded:
        """Load a commit: what differs from `base` if that was accepted last, else everything.

        `taking` gives who takes the documents while the next ones are made; it is asked again when the process ended
        and everything begins anew. Raises LoadStalled, PathNotFound, SourceUnavailable.
        """
        self._begin(commit, path)
        return await self._load(("load", commit, base, path), progress, taking)

    async def warm_up(self, commit: str, path: str) -> None:
        """Make the next load on top of this commit, which is in force, one of its changes only.

        It costs one load of everything, and nothing when the process is ready. Raises as `load` does.
        """
        if self._holds == (commit, path):
            return
        self._begin(commit, path)
        if not (await self._load(("warm", commit, path), None)).problems:
            await self.accept()

    async def load_folder(self, folder: Path) -> Loaded:
        """Load the profiles as they are on disk; raises LoadStalled, PathNotFound, SourceUnavailable."""
        self._about, self._stalled, self._deaths = "", {}, Counter()
        return await self._load(("folder", os.fsencode(folder)), None)

    async def check(self, what: Literal["folder", "commit", "index"], place: str | bytes, path: str) -> Loaded:
        """Problems and warnings of the folder or commit that is the `place`, or of what is staged.

        Raises LoadStalled, PathNotFound, SourceUnavailable.
        """
        self._about, self._stalled, self._deaths = "", {}, Counter()
        return await self._load(("check", what, place, path), None)

    async def accept(self) -> None:
        """The last load is in force: the next one may build on it. One that is not accepted leaves no trace."""
        if self._process is None:
            return  # it ended since, and with it what it had loaded: the next load is a whole one
        try:
            await self._send("accept")
            self._holds = self._loaded
        except _Died:
            await self.close()

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        self._loaded = self._holds = None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        # The transport is closed with its pipes; without this a later loop would find it open.
        process._transport.close()  # type: ignore[attr-defined]
        place, self._place = self._place, None
        if place is not None:
            place.close()

    def _begin(self, commit: str, path: str) -> None:
        if path != path_text(path):
            raise PathNotFound(f"the folder {path_text(path)} has a name that is no UTF-8; give it another one")
        if commit != self._about:
            self._about, self._stalled, self._deaths = commit, {}, Counter()

    async def _bury(self, path: str, again: bool) -> bool:
        """What follows from the end of the process: True for another try, at once.

        Raises SourceUnavailable when somebody else ended it once more, LoadStalled when too many files ended it.
        """
        status = await self._end_of_process()
        if status == -signal.SIGPROF and path:
            what = f"did not finish within {self._file_seconds:g} seconds of computing"
        elif status > 0 and path:
            what = "ended the loader process: did it need too much memory?"
        else:
            # Whoever sends signals, the kernel short of memory included, does not mean the file that is at hand.
            self._deaths[path] += 1
            how = f"was ended by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
            if not path or self._deaths[path] < MAX_DEATHS:
                if again:
                    raise SourceUnavailable(f"the loader process {how}{f' at {path}' if path else ''}")
                return True
            what = f"the loader process {how} each time it came to this file"
        # Left out; the others are still looked at, so that all problems are reported at once.
        if len(self._stalled) >= MAX_STALLED:
            raise LoadStalled(path, what)
        self._stalled[path] = what
        return again

    async def _end_of_process(self) -> int:
        """Close it, and say how it ended: the exit status, or a negative signal number."""
        assert self._process is not None
        status = -signal.SIGKILL
        try:
            async with asyncio.timeout(1):
                status = await self._process.wait()
        except TimeoutError:
            logger.warning("the loader process closed its output and lives on; it is killed")
        await self.close()
        return status

    async def _load(
        self, request: tuple[Any, ...], progress: Progress | None, taking: Callable[[], Take] | None = None
    ) -> Loaded:
        """Ask until there is an answer that is not the end of the process."""
        again = False
        while True:
            try:
                await self._send(*request, list(self._stalled.items()))
                loaded = await self._answer(progress, taking() if taking is not None else None)
                self._loaded = (self._about, request[-1])
                return loaded
            except _Died as death:
                again = await self._bury(death.path, again)
            except (SourceUnavailable, asyncio.CancelledError):
                await self.close()
                raise

    async def _answer(self, progress: Progress | None, take: Take | None) -> Loaded:
        loaded = Loaded()
        while True:
            match await self._receive():
                case ["progress", _, done, total]:
                    if progress is not None:
                        progress(done, total)
                case ["documents", rows]:
                    for document in rows:
                        loaded.documents[document.key] = document
                    if take is not None:
                        take(rows)
                    await asyncio.sleep(0)
                case ["checked", count, rows]:
                    loaded.count, loaded.warnings = count, tuple(map(problem_of, rows))
                case ["result", removed, problems, whole, limit, rules]:
                    loaded.removed = frozenset(map(ProfileKey.parse, removed))
                    loaded.problems = tuple(map(problem_of, problems))
                    loaded.whole = whole
                    loaded.settings = _settings(max_removals=limit)
                    loaded.rules = RepositoryRules.from_row(rules)
                    return loaded
                case ["path-not-found", text]:
                    raise PathNotFound(text)
                case ["unavailable", text]:
                    raise SourceUnavailable(text)

    async def _send(self, *message: Any) -> None:
        process = await self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(pack(*message))
            await process.stdin.drain()
        except ConnectionError as error:
            raise _Died("") from error

    async def _started(self) -> Process:
        if self._process is not None and self._process.returncode is not None:
            await self.close()
        if self._process is None:
            limits = str(self._memory_bytes), str(self._file_seconds)
            try:
                self._place = FilePlace.create()
                place = self._place.descriptor
                self._process = await asyncio.create_subprocess_exec(
                    *module_command("gitops_profile.reconcile.worker", str(self._location), *limits, str(place)),
                    stdin=PIPE, stdout=PIPE, limit=1 << 20, env=without_settings(), pass_fds=(place,),
                )  # fmt: skip
            except OSError as error:
                raise SourceUnavailable(f"the loader process cannot be started: {error}") from error
        return self._process

    async def _receive(self) -> list[Any] | tuple[Any, ...]:
        """The next message; raises _Died, and SourceUnavailable when there is none for long."""
        process = self._process
        assert process is not None and process.stdout is not None
        try:
            async with asyncio.timeout(self._silence_seconds):
                header = await process.stdout.readexactly(HEADER)
                data = await process.stdout.readexactly(int.from_bytes(header, "big"))
        except TimeoutError as error:
            current = self._at()
            where = f"at {current}" if current else "while it read git"
            raise SourceUnavailable(
                f"the loader process said nothing for {self._silence_seconds:g} seconds {where}"
            ) from error
        except asyncio.IncompleteReadError as error:
            raise _Died(self._at()) from error
        return unpack(data)

    def _at(self) -> str:
        return self._place.read() if self._place is not None else ""


def _settings(**values: Any) -> RepositorySettings:
    from gitops_profile.loader import RepositorySettings  # 0.04 s, which a start without a new revision is spared

    return RepositorySettings(**values)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
