"""`render`, `log`: profiles without a server."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from gitops_profile.config import Config
from gitops_profile.eventlog import LogCorrupt, LogUnavailable, verify
from gitops_profile.presentity import InvalidKey, Presentation, ProfileDocument, ProfileKey, UnknownEvent
from gitops_profile.reconcile import (
    Difference,
    Loaded,
    LoaderProcess,
    LoadStalled,
    Outcome,
    Verdict,
    compare,
    held_back,
    read_table,
    rebuild,
)
from gitops_profile.server import Signatures
from gitops_profile.source import KeysUnusable, PathNotFound, Repository, SourceUnavailable
from gitops_profile.state import StateFolder
from gitops_profile.subscriptions import StateLock, StoreUnavailable

from .moments import logged_document, only_log, revision_at
from .opening import load_profiles, open_repository
from .options import ConfigFile, Output, Path_, Ref, Repo, State, configured
from .output import PROBLEM, Format, emit_json, fail, say

log = typer.Typer(
    help="The event log: check it, or write it anew from git.", no_args_is_help=True, add_completion=False
)


def render(
    key: Annotated[
        str, typer.Argument(help="user/DOMAIN/USER, device/DOMAIN/ID, local-network/DOMAIN or sip:USER@DOMAIN")
    ],
    at: Annotated[
        str | None, typer.Option("--at", help="a revision or date; by default the files as they are now")
    ] = None,
    from_log: Annotated[
        bool, typer.Option("--from-log", help="as it was in force by the event log; --at is a date or position")
    ] = False,
    vendor: Annotated[str | None, typer.Option("--vendor", help="for a phone that says this vendor")] = None,
    model: Annotated[str | None, typer.Option("--model", help="for a phone that says this model")] = None,
    version: Annotated[str | None, typer.Option("--version", help="for a phone that says this version")] = None,
    repo: Repo = None,
    path: Path_ = None,
    state: State = None,
    config: ConfigFile = None,
    output: Output = Format.TEXT,
) -> None:
    """The document that a phone would get, byte for byte."""
    settings = configured(config, repository__url=repo, repository__path=path, state=str(state) if state else None)
    if from_log or only_log(settings):
        document = logged_document(settings, key, at)
        if document is None:
            fail(f"the event log has no profile {key}" + (f" in force at {at}" if at else ""), PROBLEM)
    else:
        document = _rendered(settings, key, at)
    _give(document, document.for_device(vendor, model, version), output)


def _rendered(settings: Config, key: str, at: str | None) -> ProfileDocument:
    """The document as the files make it; ends the command when there is none."""
    with open_repository(settings) as repository:
        revision = at if at is None else revision_at(repository, settings.repository.ref, at)
        loaded = load_profiles(settings, repository, revision)
    try:
        document = _find(loaded, key)
    except InvalidKey as error:
        fail(str(error))
    if document is None:
        name = key.removeprefix("sip:").rpartition("@")[0] or key.rpartition("/")[2]
        about = [p for p in loaded.problems if name in p.path] or loaded.problems
        fail(f"there is no profile {key}" + (f"; first problem: {about[0]}" if about else ""), PROBLEM)
    return document


def _give(document: ProfileDocument, given: Presentation, output: Format) -> None:
    """The body as it is, or with its facts."""
    if output is Format.JSON:
        body = given.body.decode("utf-8", "backslashreplace")
        emit_json({"key": str(document.key), "content_type": given.content_type, "etag": given.etag, "body": body})
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(given.body)
    sys.stdout.buffer.flush()


def _find(loaded: Loaded, key: str) -> ProfileDocument | None:
    if not key.startswith("sip:"):
        return _named(loaded, ProfileKey.parse(key))
    user, _, domain = key.removeprefix("sip:").rpartition("@")
    return _named(loaded, ProfileKey.user(domain, user)) or _named(loaded, ProfileKey.device(domain, user))


def _named(loaded: Loaded, key: ProfileKey) -> ProfileDocument | None:
    """The document of a key or alias."""
    if key in loaded.documents:
        return loaded.documents[key]
    return next((document for document in loaded.documents.values() if key in document.aliases), None)


@log.command("verify")
def log_verify(
    repo: Repo = None, path: Path_ = None, state: State = None, config: ConfigFile = None, output: Output = Format.TEXT
) -> None:
    """Check every record of the event log, and the log against git. Exit status 1 when something differs."""
    settings = configured(config, repository__url=repo, repository__path=path, state=str(state) if state else None)
    folder = StateFolder(settings.state).log
    try:
        report = asyncio.run(verify(folder))
        with open_repository(settings) as repository:
            commit, differences, kept = asyncio.run(_compare(settings, repository, folder))
    except LogCorrupt as error:
        fail(str(error), PROBLEM)
    except LoadStalled as error:
        fail(f"what git has cannot be loaded, so the log cannot be compared: {error}", PROBLEM)
    except (LogUnavailable, UnknownEvent) as error:
        fail(str(error))
    if output is Format.JSON:
        rows = [{"key": d.key, "what": d.what} for d in differences]
        emit_json(
            {"records": report.records, "segments": report.segments, "commit": commit, "differences": rows}
            | {"held_back": kept}
        )
    else:
        say(f"{report.records} records in {report.segments} segments, each as it was written")
        for difference in differences:
            say(f"{difference.key} {difference.what}")
        say(
            "no revision is in force" if commit is None else f"{len(differences)} differences from git at {commit[:12]}"
        )
        if kept:
            say(f"{kept} profiles are held back, for they are suspended; they are not among the differences")
    if differences:
        raise typer.Exit(PROBLEM)


async def _compare(settings: Config, repository: Repository, folder: Path) -> tuple[str | None, list[Difference], int]:
    table = await read_table(folder)
    if table.applied is None:
        return None, [], 0
    commit = table.applied.revision.commit
    loading = LoaderProcess(repository.git_dir)
    try:
        loaded = await loading.load(commit, None, table.applied.path)
    except (SourceUnavailable, PathNotFound) as error:
        fail(f"git no longer has revision {commit[:12]}, so the log cannot be compared: {error}", PROBLEM)
    finally:
        await loading.close()
    if not table.applied.held_back:
        return commit, compare(table, loaded), 0
    held = held_back(table, loaded)
    return commit, [one for one in compare(table, loaded) if one.key not in held], len(held)


@log.command("rebuild")
def log_rebuild(
    repo: Repo = None, ref: Ref = None, path: Path_ = None, state: State = None, config: ConfigFile = None
) -> None:
    """Write a new event log from git, beside the old one, and put it in its place. The server must be stopped."""
    settings = configured(
        config, repository__url=repo, repository__ref=ref, repository__path=path, state=str(state) if state else None
    )
    folder = StateFolder(settings.state)
    try:
        folder.create()
        lock = StateLock.acquire(folder.folder)
    except (StoreUnavailable, OSError) as error:
        fail(str(error))
    try:
        with open_repository(settings) as repository:
            outcome, kept = _rebuilt(settings, repository, folder.log)
    except (SourceUnavailable, LogUnavailable, KeysUnusable) as error:
        fail(str(error))
    finally:
        lock.release()
    if outcome.verdict is not Verdict.APPLIED:
        for problem in outcome.problems:
            say(str(problem))
        fail(outcome.reason or f"revision {outcome.commit[:12]} has problems; the old log stays", PROBLEM)
    say(f"wrote {folder.log} from {outcome.commit[:12]}: {outcome.added} profiles")
    if kept is not None:
        say(f"the old log is kept in {kept}")


def _rebuilt(settings: Config, repository: Repository, log: Path) -> tuple[Outcome, Path | None]:
    """The new log, of a head that is signed as the settings want it."""

    async def unseen(old: str, new: str, limit: int) -> list[str]:
        return [commit for commit, _ in repository.unseen(old, new, limit)]

    signatures = Signatures(settings, repository.git_dir, unseen)
    signatures.open()
    try:
        where = settings.repository
        return asyncio.run(rebuild(repository, where.ref, where.path, log, signatures.trust))
    finally:
        signatures.close()
