"""`plan`: what a change would mean for phones."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gitops_profile.config import Config
from gitops_profile.loader import Problem
from gitops_profile.plan import Plan, ProfileChange, as_data, as_markdown, as_text, compare, subscribed_now
from gitops_profile.presentity import ProfileDocument, ProfileKey
from gitops_profile.reconcile import Loaded, LoaderProcess, LoadStalled
from gitops_profile.server import repository_folder
from gitops_profile.source import NotARepository, PathNotFound, Repository, SourceUnavailable

from .look import ask
from .options import ConfigFile, Path_, Repo, State, configured
from .output import PROBLEM, emit_json, fail, printable, say

CHANGES = 3
"""Exit status: something would change."""
_DEFAULT_DEVICE = "default"


class PlanFormat(StrEnum):
    """Of `-o`."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


@dataclass(slots=True)
class _Sides:
    """All profiles at two commits."""

    before: Mapping[ProfileKey, ProfileDocument] = field(default_factory=dict)
    after: Mapping[ProfileKey, ProfileDocument] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    """Of the second."""
    notes: list[str] = field(default_factory=list)


def plan(
    revisions: Annotated[
        str | None,
        typer.Argument(
            help="BASE..HEAD, BASE...HEAD (since they parted), or BASE alone, up to HEAD; "
            "by default since HEAD left the ref that is served",
            metavar="[BASE..HEAD]",
        ),
    ] = None,
    repo: Repo = None,
    path: Path_ = None,
    state: State = None,
    server: Annotated[
        bool, typer.Option("--server", help="ask the running server how many phones are subscribed to what changes")
    ] = False,
    config: ConfigFile = None,
    output: Annotated[
        PlanFormat, typer.Option("-o", "--output", help="markdown is for a comment on a pull request")
    ] = PlanFormat.TEXT,
) -> None:
    """Which profiles a change touches, and how, as phones would see it. Exit status 3 when anything changes."""
    settings = configured(config, repository__url=repo, repository__path=path)
    try:
        repository = Repository(repository_folder(settings))
    except NotARepository as error:
        fail(str(error))
    try:
        base, head = _commits(repository, revisions, settings)
        sides = asyncio.run(_sides(repository.git_dir, base, head, settings.repository.path))
    except (SourceUnavailable, PathNotFound) as error:
        fail(str(error))
    finally:
        repository.close()
    planned = compare(sides.before, sides.after) if not sides.problems else compare({}, {})
    subscribed = _subscribed(planned, sides, config, state) if server and not sides.problems else None
    _show(planned, sides, (base, head), subscribed, output)
    if sides.problems:
        raise typer.Exit(PROBLEM)
    if planned:
        raise typer.Exit(CHANGES)


def _show(
    planned: Plan[ProfileChange],
    sides: _Sides,
    commits: tuple[str, str],
    subscribed: Mapping[ProfileKey, int] | None,
    output: PlanFormat,
) -> None:
    match output:
        case PlanFormat.JSON:
            problems = [
                {
                    "path": p.path,
                    "line": p.line or None,
                    "column": p.column or None,
                    "message": p.message,
                    "hint": p.hint,
                }
                for p in sides.problems
            ]
            head = {"base": commits[0], "head": commits[1], "notes": sides.notes, "problems": problems}
            emit_json(head | as_data(planned, subscribed))
        case PlanFormat.MARKDOWN:
            say(as_markdown(planned, sides.problems, subscribed))
        case PlanFormat.TEXT:
            for note in sides.notes:
                say(f"note: {note}")
            for problem in sides.problems:
                say(printable(str(problem)))
            if sides.problems:
                say(f"{len(sides.problems)} problems: this cannot be applied")
            else:
                say("\n".join(as_text(planned, subscribed)))


# -- which commits -----------------------------------------------------------------------------------------------


def _commits(repository: Repository, revisions: str | None, settings: Config) -> tuple[str, str]:
    """The two commits that are compared; ends the command when there are none such."""
    if revisions is None:
        ref = settings.repository.ref
        # A checkout of a pull request often has no branch but its own.
        base = repository.rev_parse(ref) or repository.rev_parse(f"origin/{ref}") or _unknown(ref)
        return _parted(repository, base, _commit(repository, "HEAD"))
    base_name, dots, head_name = revisions.partition("...")
    since_parted = bool(dots)
    if not dots:
        base_name, _, head_name = revisions.partition("..")
    base, head = (_commit(repository, name or "HEAD") for name in (base_name, head_name))
    return _parted(repository, base, head) if since_parted else (base, head)


def _commit(repository: Repository, name: str) -> str:
    return repository.rev_parse(name) or _unknown(name)


def _unknown(name: str) -> NoReturn:
    fail(f"the revision {printable(name)!r} does not exist")


def _parted(repository: Repository, base: str, head: str) -> tuple[str, str]:
    found = repository.merge_base(base, head)
    if found is None:
        fail(
            f"{base[:12]} and {head[:12]} have no common history here; in a shallow clone, fetch more (fetch-depth: 0)"
        )
    return found, head


# -- what they hold ----------------------------------------------------------------------------------------------


async def _sides(location: Path, base: str, head: str, path: str) -> _Sides:
    """Both sides. The second is loaded on top of the first, so that only what differs is read and rendered.

    Raises PathNotFound when neither has the folder, SourceUnavailable.
    """
    sides = _Sides()
    loading = LoaderProcess(location)
    try:
        first, missing = None, False
        try:
            first = await loading.load(base, None, path)
            if not first.problems:
                await loading.accept()
        except PathNotFound:
            missing = True
            sides.notes.append(f"there is no folder {path} at {base[:12]}: all profiles are new")
        except LoadStalled as error:
            sides.notes.append(f"{base[:12]} cannot be loaded, as if it had no profiles: {error}")
        if first is not None:
            sides.before = first.documents
            if first.problems:
                sides.notes.append(f"{base[:12]} has problems itself: {first.problems[0]}")
        try:
            second = await loading.load(head, base, path)
        except LoadStalled as error:
            second = Loaded(problems=(Problem(error.path, 0, 0, error.what),))
        except PathNotFound as error:
            if missing:
                raise
            second = Loaded(problems=(Problem(path, 0, 0, str(error)),))
    finally:
        await loading.close()
    sides.after = _state(sides.before, second)
    sides.problems = second.problems or _too_many_removed(sides, second)
    return sides


def _state(before: Mapping[ProfileKey, ProfileDocument], second: Loaded) -> Mapping[ProfileKey, ProfileDocument]:
    if second.whole:
        return second.documents
    kept = {key: document for key, document in before.items() if key not in second.removed}
    return kept | second.documents


def _too_many_removed(sides: _Sides, second: Loaded) -> tuple[Problem, ...]:
    """What the server would refuse for it (invariant I5)."""
    aliases = {alias for document in sides.after.values() for alias in document.aliases}
    removed = len(sides.before.keys() - sides.after.keys() - aliases)
    allowed = second.settings.removals_allowed(len(sides.before))
    if removed <= allowed:
        return ()
    what = f"this would remove {removed} of {len(sides.before)} profiles at once; {allowed} are allowed"
    hint = f"if it is meant, write `max_removals: {removed}` into profiles.yaml in the same change"
    return (Problem("profiles.yaml", 0, 0, what, hint),)


def _subscribed(
    planned: Plan[ProfileChange], sides: _Sides, config: Path | None, state: Path | None
) -> Mapping[ProfileKey, int]:
    rows = ask(config, state, "subscriptions")
    known = set(sides.before) | {alias for document in sides.before.values() for alias in document.aliases}
    return subscribed_now(planned.changes, (row["key"] for row in rows), known, _DEFAULT_DEVICE)
