"""`--at`: a revision, a date, or a position of the event log."""

import asyncio
import sys

from gitops_profile.config import Config
from gitops_profile.eventlog import LogCorrupt, LogUnavailable
from gitops_profile.presentity import PresentityTable, ProfileDocument, UnknownEvent
from gitops_profile.reconcile import read_table, read_table_at
from gitops_profile.source import NotARepository, Repository, SourceUnavailable, parse_date
from gitops_profile.state import StateFolder

from .history import keys_of, log_folder
from .opening import repository_folder
from .output import PROBLEM, fail


def revision_at(repository: Repository, ref: str, at: str) -> str:
    """`at` itself, unless it is a date and no revision: then the commit that the ref was at, which is told."""
    try:
        if repository.rev_parse(at) is not None:
            return at
        moment = parse_date(at)
        if moment is None:
            return at  # whoever reads it says that there is no such revision
        head = repository.rev_parse(ref)
        if head is None:
            fail(f"the revision {ref!r} does not exist")
        commit = repository.commit_before(head, int(moment.timestamp()))
        if commit is None:
            fail(f"{ref} has no commit that is as old as {moment:%Y-%m-%dT%H:%M:%SZ}", PROBLEM)
        revision = repository.revision(commit)
    except SourceUnavailable as error:
        fail(str(error))
    sys.stderr.write(f"at {commit[:12]} of {revision.committed_at}: {revision.message}\n")
    return commit


def only_log(settings: Config) -> bool:
    """Whether there is an event log and no repository to read."""
    try:
        Repository(repository_folder(settings)).close()
    except NotARepository:
        return StateFolder(settings.state).log.is_dir()
    return False


def logged_document(settings: Config, key: str, at: str | None) -> ProfileDocument | None:
    """The document that was in force at a position or date, by default now; which commit it is of is told."""
    keys = keys_of(key)
    table = logged_table(settings, at)
    for wanted in keys:
        owner = table.resolve(wanted)
        document = table.get(owner) if owner is not None else None
        stamp = table.revision_of(owner) if owner is not None else None
        if document is not None and stamp is not None:
            sys.stderr.write(f"from the event log: {stamp.commit[:12]} of {stamp.committed_at}: {stamp.message}\n")
            return document
    return None


def logged_table(settings: Config, at: str | None = None) -> PresentityTable:
    """The table of the event log; ends the command when it cannot be read."""
    folder = log_folder(settings)
    moment = int(at) if at is not None and at.isascii() and at.isdigit() else None if at is None else parse_date(at)
    if at is not None and moment is None:
        fail(f"{at!r} is no date and no position of the event log; with a repository it may also be a revision")
    try:
        return asyncio.run(read_table(folder) if moment is None else read_table_at(folder, moment))
    except LogCorrupt as error:
        fail(str(error), PROBLEM)
    except (LogUnavailable, UnknownEvent) as error:
        fail(str(error))
