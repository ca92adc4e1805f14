"""A reconciler on a real repository, with a log in memory and the real loader process."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gitops_profile.eventlog import MemoryEventLog
from gitops_profile.presentity import PresentityTable, ProfileKey
from gitops_profile.processes import HEADER
from gitops_profile.reconcile import Journal, LoaderProcess, Outcome, Reconciler, Suspending, Trust, replay
from gitops_profile.reconcile.wire import pack, unpack
from gitops_profile.reconcile.worker import Worker
from gitops_profile.source import Repository, Revision
from tests.repositories import Git


class LoaderHere(LoaderProcess):
    """The loader in this process: it knows as little as a process just started, without the 0.3 s that one takes."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository.git_dir)
        self._out = io.BytesIO()
        self._read = 0
        self._worker = Worker(repository, self._out, file_seconds=3600.0)  # SIGPROF would end the tests

    async def _send(self, *message: Any) -> None:
        self._worker.handle(msgspec.msgpack.decode(pack(*message)[HEADER:]))

    async def _receive(self) -> list[Any] | tuple[Any, ...]:
        said, start = self._out.getbuffer(), self._read + HEADER
        self._read = start + int.from_bytes(said[self._read : start], "big")
        return unpack(bytes(said[start : self._read]))


class Lab:
    """One repository and what is made of it."""

    def __init__(self, folder: Path, *, file_seconds: float = 5.0) -> None:
        self.git = Git(folder)
        self.log = MemoryEventLog()
        self.told: list[list[str]] = []
        self.repository = Repository(folder)
        self.loading = LoaderProcess(folder, file_seconds=file_seconds)
        self.journal = Journal(self.log, PresentityTable(), 0, 0)
        self.path = "profiles"
        self.asked_urgency = 0
        """How often git was asked whether something between two commits is urgent."""
        self.rewrites: Any = "allow"
        self.trust: Trust | None = None
        self.progress: Callable[[int, int], None] | None = None
        self._kept: tuple[object, Reconciler] | None = None

    def _reconciler(self, journal: Journal, loading: LoaderProcess) -> Reconciler:
        async def is_ancestor(old: str, new: str) -> bool:
            return self.repository.is_ancestor(old, new)

        async def between(old: str, new: str, limit: int) -> tuple[Sequence[Revision], int]:
            return self.repository.first_parents(old, new, limit)

        async def brings_urgent(old: str, new: str) -> bool:
            self.asked_urgency += 1
            return self.repository.brings_urgent(old, new)

        return Reconciler(
            journal, loading, ref="main", path=self.path, on_changed=self._tell, is_ancestor=is_ancestor,
            between=between, brings_urgent=brings_urgent,
            progress=self.progress, rewrites=self.rewrites, trust=self.trust,
        )  # fmt: skip

    def _tell(self, keys: Sequence[ProfileKey]) -> None:
        self.told.append([str(key) for key in keys])

    @property
    def reconciler(self) -> Reconciler:
        """The same one for as long as nothing that it is made of changes."""
        parts = (self.journal, self.loading, self.path, self.progress, self.trust)
        if self._kept is None or self._kept[0] != parts:
            self._kept = (parts, self._reconciler(self.journal, self.loading))
        return self._kept[1]

    @property
    def suspending(self) -> Suspending:
        return self.reconciler.suspending

    async def reconcile(self, commit: str | None = None, overtaken: Sequence[str] = ()) -> Outcome:
        """Bring the journal to a commit, by default the head."""
        revision = self.repository.revision(commit or self.git.head())
        return await self.reconciler.reconcile(revision, [self.repository.revision(one) for one in overtaken])

    async def warm_up(self) -> None:
        await self.reconciler.warm_up()

    async def restart(self) -> None:
        """As after a kill: what is known is what the log says."""
        await self.loading.close()
        self.loading = LoaderProcess(self.git.folder)
        self.journal = await replay(self.log)

    async def loaded_anew(self, commit: str) -> PresentityTable:
        """The table after loading one commit alone."""
        journal = Journal(MemoryEventLog(), PresentityTable(), 0, 0)
        await self._reconciler(journal, LoaderHere(self.repository)).reconcile(self.repository.revision(commit))
        return journal.table

    async def replayed(self) -> PresentityTable:
        """The table as the log alone gives it."""
        return (await replay(self.log)).table

    def bodies(self) -> dict[str, bytes]:
        return {str(document.key): document.body for document in self.journal.table}

    async def types(self) -> list[str]:
        return [record.type async for record in self.log.read(0)]

    async def close(self) -> None:
        await self.loading.close()
        self.repository.close()
