"""All profiles at two commits, as the server would load them one after the other."""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitops_profile import loader
from gitops_profile.loader import Problem, UnreadableProfile
from gitops_profile.plan import Change, Plan, ProfileChange
from gitops_profile.presentity import ProfileDocument, ProfileKey
from gitops_profile.reconcile import Loaded, LoaderProcess, LoadStalled
from gitops_profile.source import PathNotFound, Repository

MAX_LOOKED_UP = 200
"""Changed profiles whose `notify` is looked up: each costs the reading of its files."""


@dataclass(slots=True)
class Sides:
    """Both states, and what is to be said of them."""

    before: Mapping[ProfileKey, ProfileDocument] = field(default_factory=dict)
    after: Mapping[ProfileKey, ProfileDocument] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    """Of the second: it would be rejected."""
    held: str = ""
    """Why the second would wait for somebody who approves; empty when it would not."""
    notes: list[str] = field(default_factory=list)


async def load_sides(location: Path, base: str, head: str, path: str) -> Sides:
    """The second is loaded on top of the first, so that only what differs is read and rendered.

    Raises PathNotFound when neither has the folder, SourceUnavailable.
    """
    sides = Sides()
    loading = LoaderProcess(location)
    try:
        found = await _load_base(loading, sides, base, path)
        try:
            second = await loading.load(head, base, path)
        except LoadStalled as error:
            second = Loaded(problems=(Problem(error.path, 0, 0, error.what),))
        except PathNotFound as error:
            if not found:
                raise
            second = Loaded(problems=(Problem(path, 0, 0, str(error)),))
    finally:
        await loading.close()
    sides.after = _state(sides.before, second)
    sides.problems = second.problems
    if not second.problems:
        sides.held = _too_many_removed(sides, second)
    return sides


async def _load_base(loading: LoaderProcess, sides: Sides, base: str, path: str) -> bool:
    """Whether the folder is there at all."""
    try:
        first = await loading.load(base, None, path)
    except PathNotFound:
        sides.notes.append(f"there is no folder {path} at {base[:12]}: all profiles are new")
        return False
    except LoadStalled as error:
        sides.notes.append(f"{base[:12]} cannot be loaded, so all profiles look new: {error}")
        return True
    sides.before = first.documents
    if first.problems:
        count = f"{len(first.problems)} problem{'' if len(first.problems) == 1 else 's'}"
        sides.notes.append(
            f"{base[:12]} has {count} itself, first: {first.problems[0]}; what it cannot make looks new here, "
            "and phones have what the last good revision before it gave them"
        )
    else:
        await loading.accept()
    return True


def _state(before: Mapping[ProfileKey, ProfileDocument], second: Loaded) -> Mapping[ProfileKey, ProfileDocument]:
    if second.whole:
        return second.documents
    kept = {key: document for key, document in before.items() if key not in second.removed}
    return kept | second.documents


def _too_many_removed(sides: Sides, second: Loaded) -> str:
    """What the server would wait for (invariant I5)."""
    aliases = {alias for document in sides.after.values() for alias in document.aliases}
    removed = len(sides.before.keys() - sides.after.keys() - aliases)
    problem = second.settings.too_many_removed(removed, len(sides.before), left=len(sides.after))
    return "" if problem is None else f"{problem.message} ({problem.hint})"


def reboot_policies(
    repository: Repository, commit: str, folder: str, plan: Plan[ProfileChange]
) -> dict[ProfileKey, str]:
    """What `notify.reboot` is for the changed profiles, as far as their manifests or folders say it.

    Raises SourceUnavailable.
    """
    prefix = "" if folder.strip("/") in ("", ".") else f"{folder.strip('/')}/"

    @functools.cache
    def read(path: str) -> bytes | None:
        return repository.read_file_at(commit, prefix + path)

    return dict(_policies(_manifests(plan), read))


def _manifests(plan: Plan[ProfileChange]) -> Iterable[ProfileChange]:
    given = (change for change in plan.changes if change.change is not Change.REMOVED and change.reaches_phones)
    manifests = [change for change in given if change.path.endswith((".yaml", ".yml"))]
    return manifests[:MAX_LOOKED_UP]


def _policies(
    changes: Iterable[ProfileChange], read: Callable[[str], bytes | None]
) -> Iterable[tuple[ProfileKey, str]]:
    for change in changes:
        try:
            origins = loader.provenance(change.path, read).origins
        except UnreadableProfile:
            continue  # it loaded a moment ago: nothing is known rather than nothing shown
        for origin in origins:
            if origin.path == ("notify", "reboot") and origin.value in ("never", "allow"):
                yield change.key, origin.value
