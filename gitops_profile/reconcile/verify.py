"""The log against git, and a new log from git."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gitops_profile.eventlog import FileEventLog, LogCorrupt, LogUnavailable
from gitops_profile.presentity import ApplicationSuspended, PresentityTable, ProfileKey, UnknownEvent
from gitops_profile.source import Repository, SourceUnavailable

from .journal import read_table, replay
from .loading import Loaded, LoaderProcess
from .reconciler import Outcome, Reconciler, Verdict
from .suspension import changes_of, divide
from .trust import Trust

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Difference:
    """One profile that is not the same in the log and in git."""

    key: str
    what: str


def compare(table: PresentityTable, loaded: Loaded) -> list[Difference]:
    """How the table and a whole load of its revision differ."""
    differences = []
    if table.rules != loaded.rules:
        differences.append(Difference("profiles.yaml", "says something else of files or decoys in git"))
    for key, document in sorted(loaded.documents.items()):
        known = table.get(key)
        if known is None:
            differences.append(Difference(str(key), "is in git and not in the log"))
        elif known != document:
            differences.append(Difference(str(key), "is another document in git"))
    gone = [str(document.key) for document in table if document.key not in loaded.documents]
    return differences + [Difference(key, "is in the log and not in git") for key in sorted(gone)]


def held_back(table: PresentityTable, loaded: Loaded) -> set[str]:
    """The keys of the profiles that a suspension keeps from a whole load of the revision in force."""
    wanted = changes_of(loaded.documents, (), table, {}, whole=True)
    return {str(key) for key in divide(wanted, table, set(table.suspensions)).held}


async def rebuild(
    repository: Repository, ref: str, path: str, folder: Path, trust: Trust | None = None
) -> tuple[Outcome, Path | None]:
    """A new log at `folder` from what git has at `ref`; the old one is kept beside it, and its place returned.

    What is suspended stays so where the old log can be read, with the documents of git. Raises SourceUnavailable when
    the ref does not exist. When the revision is rejected the old log stays.
    """
    commit = repository.resolve(ref)
    if commit is None:
        raise SourceUnavailable(f"the ref {ref!r} does not exist")
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)  # of an earlier try that was interrupted
    log = await FileEventLog.open(fresh)
    loading = LoaderProcess(repository.git_dir)
    try:
        journal = await replay(log)
        reconciler = Reconciler(
            journal, loading, ref=ref, path=path, on_changed=_nobody_listens, is_ancestor=_always, trust=trust
        )
        outcome = await reconciler.reconcile(repository.revision(commit))
        suspended = await _suspensions(folder) if _is_there(folder) else []
        if suspended:
            await journal.append(suspended)
    finally:
        await loading.close()
        await log.close()
    if outcome.verdict is not Verdict.APPLIED:
        shutil.rmtree(fresh)
        return outcome, None
    return outcome, _swap(fresh, folder)


def _is_there(folder: Path) -> bool:
    return folder.is_dir()


async def _suspensions(folder: Path) -> list[ApplicationSuspended]:
    """What is suspended in a log that may be damaged."""
    try:
        return list((await read_table(folder)).suspensions.values())
    except (LogCorrupt, LogUnavailable, UnknownEvent) as error:
        logger.warning("what was suspended is not known any more: %s", error)
        return []


def _swap(fresh: Path, folder: Path) -> Path | None:
    kept = None
    if folder.exists():
        kept = folder.with_name(f"{folder.name}.old-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        folder.rename(kept)
    fresh.rename(folder)
    return kept


def _nobody_listens(keys: Sequence[ProfileKey]) -> None:
    """No server is running on a log that is being rebuilt."""


async def _always(old: str, new: str) -> bool:
    return True
