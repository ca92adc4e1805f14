"""`plan`: what a change would mean for phones."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer

from gitops_profile.config import Config
from gitops_profile.loader import Problem
from gitops_profile.plan import Outlook, Plan, ProfileChange, as_data, as_markdown, as_text, compare, phones_now
from gitops_profile.presentity import ProfileDocument, ProfileKey
from gitops_profile.source import NotARepository, PathNotFound, Repository, SourceUnavailable

from .look import ask
from .opening import repository_folder
from .options import ConfigFile, Path_, Repo, State, configured
from .output import PROBLEM, emit_json, fail, printable, say
from .sides import Sides, load_sides, reboot_policies

CHANGES = 3
"""Exit status: something would change."""
NOT_BUILT_ON = (
    "{base} is not in the history of {head}: what only it has is shown as taken away; "
    "{base}...{head} compares from where they parted"
)
IN_WINDOWS = "what changes of {} of the profiles is told when their maintenance windows are open (notify)"
DELIVERED_NOW = "a commit says `Deliver: now`: {} of the profiles do not wait for their maintenance windows (notify)"


class PlanFormat(StrEnum):
    """Of `-o`."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


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
        planned, sides, reboot = read_plan(repository, base, head, settings.repository.path)
    except (SourceUnavailable, PathNotFound) as error:
        fail(str(error))
    finally:
        repository.close()
    phones = None
    if server and not sides.problems:
        phones = phones_now(planned, sides.before, sides.after, ask(config, state, "subscriptions"))
    _show(planned, sides, (base, head), Outlook(phones, reboot, tuple(sides.notes), sides.held), output)
    if sides.problems:
        raise typer.Exit(PROBLEM)
    if planned:
        raise typer.Exit(CHANGES)


def read_plan(
    repository: Repository, base: str, head: str, path: str
) -> tuple[Plan[ProfileChange], Sides, dict[ProfileKey, str]]:
    """What differs for phones, what from, and who may be rebooted. Raises SourceUnavailable, PathNotFound."""
    sides = asyncio.run(load_sides(repository.git_dir, base, head, path))
    if not repository.is_ancestor(base, head):
        sides.notes.append(NOT_BUILT_ON.format(base=base[:12], head=head[:12]))
    planned = compare(sides.before, sides.after) if not sides.problems else compare({}, {})
    waiting = sum(change.reaches_phones and _has_windows(sides.after.get(change.key)) for change in planned.changes)
    if waiting:
        sides.notes.append((DELIVERED_NOW if _is_urgent(repository, base, head) else IN_WINDOWS).format(waiting))
    return planned, sides, reboot_policies(repository, head, path, planned)


def _is_urgent(repository: Repository, base: str, head: str) -> bool:
    """As far as the history is here: a shallow clone says what its head says."""
    try:
        return repository.revision(head).urgent or repository.brings_urgent(base, head)
    except SourceUnavailable:
        return False


def _has_windows(document: ProfileDocument | None) -> bool:
    return document is not None and bool(document.notify.windows)


def plan_data(planned: Plan[ProfileChange], sides: Sides, commits: tuple[str, str], outlook: Outlook) -> dict[str, Any]:
    """A plan for programs."""
    head = {"base": commits[0], "head": commits[1], "problems": list(map(_problem, sides.problems))}
    return head | as_data(planned, outlook)


def _show(
    planned: Plan[ProfileChange], sides: Sides, commits: tuple[str, str], outlook: Outlook, output: PlanFormat
) -> None:
    match output:
        case PlanFormat.JSON:
            emit_json(plan_data(planned, sides, commits, outlook))
        case PlanFormat.MARKDOWN:
            say(as_markdown(planned, sides.problems, outlook))
        case PlanFormat.TEXT if sides.problems:
            for line in (*(f"note: {note}" for note in sides.notes), *map(str, sides.problems)):
                say(printable(line))
            say(f"{len(sides.problems)} problem{'' if len(sides.problems) == 1 else 's'}: this cannot be applied")
        case PlanFormat.TEXT:
            say("\n".join(as_text(planned, outlook)))


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "path": problem.path,
        "line": problem.line or None,
        "column": problem.column or None,
        "message": problem.message,
        "hint": problem.hint,
    }


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
