"""The files that one document is made of, at a revision or as they are on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitops_profile.config import Config
from gitops_profile.loader import document_path
from gitops_profile.presentity import ProfileKey
from gitops_profile.reconcile import Folder
from gitops_profile.source import PathNotFound, Repository, SourceUnavailable

from .opening import load_profiles
from .output import PROBLEM, fail


@dataclass(frozen=True, slots=True)
class Sources:
    """The profiles folder of a repository at one commit."""

    settings: Config
    repository: Repository
    commit: str | None
    """None for the files on disk."""

    @classmethod
    def at(cls, settings: Config, repository: Repository, revision: str | None) -> "Sources":
        """Those of a revision; of the files on disk without one, or of the ref when there is no work tree.

        Ends the command when there is no such revision.
        """
        if revision is None and repository.work_tree is not None:
            return cls(settings, repository, None)
        wanted = revision or settings.repository.ref
        try:
            commit = repository.rev_parse(wanted)
        except SourceUnavailable as error:
            fail(str(error))
        if commit is None:
            fail(f"the revision {wanted!r} does not exist")
        return cls(settings, repository, commit)

    def path_of(self, keys: list[ProfileKey], asked: str) -> str:
        """The file of a document, under its own name or an alias; ends the command when there is none."""
        try:
            files = (
                self.repository.list_files(self.commit, self.settings.repository.path)
                if self.commit is not None
                else Folder(self._folder()).list_files()
            )
        except (PathNotFound, SourceUnavailable) as error:
            fail(str(error))
        path = document_path((file.path for file in files if file.mode.startswith("100")), keys)
        if path is not None:
            return path
        loaded = load_profiles(self.settings, self.repository, self.commit)  # only they know their aliases
        owners = {key: document.path for document in loaded.documents.values() for key in document.aliases}
        path = next((owners[key] for key in keys if key in owners), None)
        if path is None:
            where = f"at {self.commit[:12]}" if self.commit is not None else "on disk"
            fail(
                f"there is no profile {asked} {where}; gitops-profile check says what is wrong with the files", PROBLEM
            )
        return path

    def read(self) -> Callable[[str], bytes | None]:
        """Content of a file in the profiles folder; what is no regular file is not there."""
        commit, prefix = self.commit, self.prefix
        if commit is not None:
            return lambda path: self.repository.read_file_at(commit, f"{prefix}{path}")
        folder = self._folder()

        def read(path: str) -> bytes | None:
            file = folder / path
            try:
                return file.read_bytes() if file.is_file() and not file.is_symlink() else None
            except OSError as error:
                fail(f"{file} cannot be read: {error.strerror}")

        return read

    @property
    def prefix(self) -> str:
        """What stands before a path in the profiles folder to make it one in the repository."""
        path = self.settings.repository.path.strip("/")
        return "" if path in ("", ".") else f"{path}/"

    def _folder(self) -> Path:
        assert self.repository.work_tree is not None, "without one there is a commit"
        return self.repository.work_tree / self.settings.repository.path
