"""The server's end of the loader process: asks, waits, and kills it when one file takes too long."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from gitops_profile.loader import Problem, RepositorySettings
from gitops_profile.presentity import ProfileDocument, ProfileKey
from gitops_profile.source import PathNotFound, SourceUnavailable

from .wire import HEADER, document_of, pack, path_text, problem_of

FILE_SECONDS = 5.0
"""How long one file may take; an honest template takes less than a millisecond."""
MAX_STALLED = 5
"""Files of one revision over which the process is killed before the revision is given up."""
MEMORY_BYTES = 4 << 30
"""How much the loader process may allocate."""
Progress = Callable[[int, int], None]


class LoadStalled(Exception):
    """The loader process was killed, or died, over one file."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


@dataclass(slots=True)
class Loaded:
    """What the loader process found; the fields of `LoadResult`."""

    documents: dict[ProfileKey, ProfileDocument] = field(default_factory=dict)
    removed: frozenset[ProfileKey] = frozenset()
    problems: tuple[Problem, ...] = ()
    whole: bool = True
    settings: RepositorySettings = field(default_factory=RepositorySettings)


class LoaderProcess:
    """One loader process, started when first needed and again after it was killed."""

    def __init__(self, location: Path, *, file_seconds: float = FILE_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self._location = location
        self._file_seconds = file_seconds
        self._memory_bytes = memory_bytes
        self._process: Process | None = None

    async def load(self, commit: str, base: str | None, path: str, progress: Progress | None = None) -> Loaded:
        """Load a commit: what differs from `base` if that was accepted last, else everything.

        Raises LoadStalled, PathNotFound, SourceUnavailable.
        """
        if path != path_text(path):
            raise PathNotFound(f"the folder {path_text(path)} has a name that is no UTF-8; give it another one")
        stalled: dict[str, str] = {}
        while True:
            try:
                return await self._load(commit, base, path, progress, stalled)
            except LoadStalled as error:
                # Killed over one file; the others are still looked at, so that all problems are reported at once.
                await self.close()
                if error.path in stalled or len(stalled) >= MAX_STALLED:
                    raise
                stalled[error.path] = error.what
            except (SourceUnavailable, asyncio.CancelledError):
                await self.close()
                raise

    async def accept(self) -> None:
        """The last load is in force: the next one may build on it. One that is not accepted leaves no trace."""
        await self._send("accept")

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        # The transport is closed with its pipes; without this a later loop would find it open.
        process._transport.close()  # type: ignore[attr-defined]

    async def _load(
        self, commit: str, base: str | None, path: str, progress: Progress | None, stalled: dict[str, str]
    ) -> Loaded:
        await self._send("load", commit, base, path, list(stalled.items()))
        loaded = Loaded()
        current = ""
        while True:
            message = await self._receive(current)
            match message:
                case ["progress", current, done, total]:
                    if progress is not None:
                        progress(done, total)
                case ["documents", rows]:
                    for row in rows:
                        document = document_of(row)
                        loaded.documents[document.key] = document
                    await asyncio.sleep(0)
                case ["result", removed, problems, whole, limit]:
                    loaded.removed = frozenset(map(ProfileKey.parse, removed))
                    loaded.problems = tuple(map(problem_of, problems))
                    loaded.whole = whole
                    loaded.settings = RepositorySettings(max_removals=limit)
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
            await self.close()
            raise SourceUnavailable("the loader process ended; it is started again") from error

    async def _started(self) -> Process:
        if self._process is not None and self._process.returncode is not None:
            await self.close()
        if self._process is None:
            # -P: the working folder, which is often the profile repository itself, must not be where modules come from.
            arguments = [sys.executable, "-P", "-m", "gitops_profile.reconcile.worker", str(self._location)]
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *arguments, str(self._memory_bytes), stdin=PIPE, stdout=PIPE, limit=1 << 20
                )
            except OSError as error:
                raise SourceUnavailable(f"the loader process cannot be started: {error}") from error
        return self._process

    async def _receive(self, current: str) -> list[Any]:
        """The next message; raises LoadStalled when the file at hand takes too long or ends the process."""
        process = self._process
        assert process is not None and process.stdout is not None
        try:
            async with asyncio.timeout(self._file_seconds):
                header = await process.stdout.readexactly(HEADER)
                data = await process.stdout.readexactly(int.from_bytes(header, "big"))
        except TimeoutError as error:
            if not current:
                raise SourceUnavailable("git did not answer in time") from error
            raise LoadStalled(current, f"did not finish within {self._file_seconds:g} seconds") from error
        except asyncio.IncompleteReadError as error:
            if not current:
                raise SourceUnavailable("the loader process ended while it read git") from error
            raise LoadStalled(current, "ended the loader process: did it need too much memory?") from error
        message: list[Any] = msgspec.msgpack.decode(data)
        return message
