"""The repository of the settings, and the profiles in it: without a server, and importing none."""

import asyncio
import os
from pathlib import Path
from typing import Literal

from gitops_profile.config import Config
from gitops_profile.loader import Problem
from gitops_profile.reconcile import Loaded, LoaderProcess, LoadStalled
from gitops_profile.source import NotARepository, PathNotFound, Repository, SourceUnavailable, parse_address
from gitops_profile.state import StateFolder

from .output import fail


def repository_folder(config: Config) -> Path:
    """The folder in which git can be read; of a remote, the clone that a server on the same state folder keeps.

    Raises NotARepository.
    """
    address = parse_address(config.repository.url)
    if isinstance(address, Path):
        return address
    folder = StateFolder(config.state).clone
    if not folder.is_dir():
        raise NotARepository(
            f"there is no clone of {address} in {config.state}; gitops-profile serve makes one, or name a clone of "
            "your own with --repo"
        )
    return folder


class open_repository:  # reads as the verb it is: `with open_repository(settings) as repository`
    """The repository of the settings, closed at the end; ends the command when it is none."""

    def __init__(self, settings: Config) -> None:
        try:
            self._repository = Repository(repository_folder(settings))
        except NotARepository as error:
            fail(str(error))

    def __enter__(self) -> Repository:
        return self._repository

    def __exit__(self, *_: object) -> None:
        self._repository.close()


def load_profiles(settings: Config, repository: Repository, ref: str | None) -> Loaded:
    """All profiles, at a revision or as they are on disk; ends the command when that is not possible."""
    path = settings.repository.path
    try:
        if ref is None and repository.work_tree is not None:
            return asyncio.run(_loaded_folder(repository, repository.work_tree / path))
        commit_at = repository.rev_parse(ref or settings.repository.ref)
        if commit_at is None:
            fail(f"the revision {ref or settings.repository.ref!r} does not exist")
        return asyncio.run(_loaded(repository.git_dir, commit_at, path))
    except LoadStalled as error:
        return Loaded(problems=(Problem(error.path, 0, 0, error.what, rule="too-costly"),))
    except (PathNotFound, SourceUnavailable) as error:
        fail(str(error))


async def _loaded(location: Path, commit: str, path: str) -> Loaded:
    loading = LoaderProcess(location)
    try:
        return await loading.load(commit, None, path)
    finally:
        await loading.close()


async def _loaded_folder(repository: Repository, folder: Path) -> Loaded:
    loading = LoaderProcess(repository.git_dir)
    try:
        return await loading.load_folder(folder)
    finally:
        await loading.close()


def check_profiles(settings: Config, repository: Repository, ref: str | None, *, staged: bool) -> Loaded:
    """Problems and warnings, without the documents, at a revision, as they are staged, or as they are on disk.

    Ends the command when that is not possible.
    """
    path = settings.repository.path
    try:
        if staged:
            return asyncio.run(_checked(repository.git_dir, "index", "", path))
        if ref is None and repository.work_tree is not None:
            folder = os.fsencode(repository.work_tree / path)
            return asyncio.run(_checked(repository.git_dir, "folder", folder, path))
        commit = repository.rev_parse(ref or settings.repository.ref)
        if commit is None:
            fail(f"the revision {ref or settings.repository.ref!r} does not exist")
        return asyncio.run(_checked(repository.git_dir, "commit", commit, path))
    except LoadStalled as error:
        return Loaded(problems=(Problem(error.path, 0, 0, error.what, rule="too-costly"),))
    except (PathNotFound, SourceUnavailable) as error:
        fail(str(error))


async def _checked(location: Path, what: Literal["folder", "commit", "index"], place: str | bytes, path: str) -> Loaded:
    loading = LoaderProcess(location)
    try:
        return await loading.check(what, place, path)
    finally:
        await loading.close()
