"""A clone of a remote repository that others push to."""

from pathlib import Path

from gitops_profile.source import (
    Clone,
    CloneSettings,
    FetchReport,
    RemoteAccess,
    RemoteAddress,
    Repository,
    parse_address,
)
from tests.repositories import Git


class Remote:
    """A bare repository that is fetched from, and a second clone that pushes to it."""

    def __init__(self, folder: Path) -> None:
        self.base = folder / "srv"
        self.bare = Git(self.base / "profiles.git", bare=True)
        self.work = Git(folder / "work")
        self.work("remote", "add", "origin", str(self.bare.folder))

    def push(self, content: str, *options: str) -> str:
        commit = self.work.commit({"profiles/a.yaml": content})
        self.work("push", "-q", *options, "origin", "main")
        return commit


class CloneLab:
    """A clone of a remote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remote = Remote(folder)
        self.reports: list[FetchReport] = []
        self.url = f"file://{self.remote.bare.folder}"
        self.access = RemoteAccess()

    def clone(self, ref: str = "main", *, timeout: float = 20.0, size: int = 1 << 30, history: bool = True) -> Clone:
        address = parse_address(self.url)
        assert isinstance(address, RemoteAddress)
        settings = CloneSettings(timeout, size, history)
        return Clone(address, ref, self.folder / "state" / "clone", self.access, settings, self.reports.append)

    async def fetched(self, ref: str = "main") -> Clone:
        clone = self.clone(ref)
        await clone.prepare()
        await clone.fetch()
        return clone

    def read(self, clone: Clone, ref: str = "main") -> str | None:
        repository = Repository(clone.path)
        try:
            return repository.resolve(ref)
        finally:
            repository.close()
