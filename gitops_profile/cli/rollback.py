"""`rollback`: the commit that takes a change back, with its plan; git stays the only truth."""

import asyncio
import re
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from gitops_profile.config import Config
from gitops_profile.loader import UnreadableProfile, key_of_path
from gitops_profile.plan import Outlook
from gitops_profile.presentity import ProfileKey
from gitops_profile.reconcile import Loaded, LoaderProcess, LoadStalled
from gitops_profile.source import (
    CannotRevert,
    FileAt,
    NotARepository,
    PathNotFound,
    Repository,
    Reverter,
    SourceUnavailable,
    parse_address,
)

from .history import keys_of
from .options import ConfigFile, Output, Path_, Repo, configured
from .output import PROBLEM, Format, emit_json, fail, printable, say
from .plan import CHANGES, plan, plan_data, read_plan

_KEY = re.compile(r"sips?:|(user|device|local-network)/[^/]+")
MAX_NAMED = 20
"""Commits that are named in a warning."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What is to be committed."""

    tree: str
    message: str
    branch: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Made:
    """The commit that was made, and where it goes."""

    commit: str
    base: str
    branch: str
    remote: str
    push: bool
    folder: Path

    def publish(self, reverter: Reverter) -> bool:
        """Give the branch there or here the commit; whether a branch here is new. Raises CannotRevert."""
        if not self.push:
            return reverter.create_branch(self.branch, self.commit)
        reverter.push(self.remote, self.commit, self.branch)
        return False


def rollback(
    what: Annotated[
        str, typer.Argument(help="a commit that is to be taken back, or the key of one profile", metavar="REV|KEY")
    ],
    to: Annotated[
        str | None, typer.Option("--to", help="of a profile: the commit at which it was right", metavar="REV")
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="push the commit; else only a branch is made")] = False,
    branch: Annotated[str | None, typer.Option("--branch", help="the branch that gets the commit")] = None,
    remote: Annotated[str, typer.Option("--remote", help="where to push to")] = "origin",
    onto: Annotated[
        str | None, typer.Option("--onto", help="what the commit comes on top of; by default the ref that is served")
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="phones are told whatever their maintenance windows say")] = False,
    repo: Repo = None,
    path: Path_ = None,
    config: ConfigFile = None,
    output: Output = Format.TEXT,
) -> None:
    """Make the commit that takes a change back, show its plan, and push it or say how.

    The work tree and the index are not touched, and no server is told: it sees the commit once it is merged.
    """
    settings = configured(config, repository__url=repo, repository__path=path)
    folder = _folder(settings)
    repository, reverter = _opened(folder)
    try:
        base = _base(repository, onto, settings.repository.ref, remote)
        if _KEY.match(what):
            change = _Profile(repository, reverter, settings.repository.path, base).back(what, to)
        else:
            change = _of_revision(repository, reverter, what, base, to)
        if now:
            change = replace(change, message=f"{change.message.rstrip()}\n\nDeliver: now\n")
        if change.tree == reverter.tree_of(base):
            fail(f"nothing is left to take back: {base[:12]} is so already", PROBLEM)
        commit = reverter.commit(change.tree, base, change.message)
        made = _Made(commit, base, branch or change.branch, remote, push, folder)
        if output is Format.JSON:
            _as_json(repository, reverter, made, change, settings)
        else:
            _as_text(reverter, made, change, settings)
    except CannotRevert as error:
        fail(printable(str(error)), PROBLEM)
    except (SourceUnavailable, PathNotFound) as error:
        fail(str(error))
    finally:
        reverter.close()
        repository.close()


def _folder(settings: Config) -> Path:
    try:
        address = parse_address(settings.repository.url)
    except NotARepository as error:
        fail(str(error))
    if not isinstance(address, Path):
        fail("a rollback is a commit of yours: name a clone of your own with --repo, not the remote or the server's")
    return address


def _opened(folder: Path) -> tuple[Repository, Reverter]:
    try:
        return Repository(folder), Reverter(folder)
    except NotARepository as error:
        fail(str(error))


def _base(repository: Repository, onto: str | None, ref: str, remote: str) -> str:
    """The commit that the new one comes on top of: the newer one of the branch here and that of the remote."""
    if onto is not None:
        return repository.rev_parse(onto) or fail(f"the revision {printable(onto)!r} does not exist")
    here, there = repository.rev_parse(ref), repository.rev_parse(f"refs/remotes/{remote}/{ref}")
    if here is None or there is None:
        return here or there or fail(f"the revision {printable(ref)!r} does not exist; name one with --onto")
    if repository.is_ancestor(here, there):
        return there
    if repository.is_ancestor(there, here):
        return here
    fail(f"{ref} and {remote}/{ref} have parted; name one of them with --onto")


def _of_revision(repository: Repository, reverter: Reverter, what: str, base: str, to: str | None) -> _Change:
    if to is not None:
        fail("--to belongs to the key of a profile; a commit is taken back as a whole")
    commit = repository.rev_parse(what)
    if commit is None:
        fail(f"the revision {printable(what)!r} does not exist; a profile is named by its key, user/DOMAIN/USER")
    if not repository.is_ancestor(commit, base):
        fail(f"{commit[:12]} is not in the history of {base[:12]}: there is nothing to take back", PROBLEM)
    return _Change(reverter.reverted_tree(commit, base), reverter.revert_message(commit), f"revert-{commit[:12]}")


def _as_text(reverter: Reverter, made: _Made, change: _Change, settings: Config) -> None:
    """The plan, and what was done; ends the command when a server would refuse the commit."""
    for note in change.notes:
        sys.stderr.write(printable(note) + "\n")
    commit, branch, remote = made.commit, made.branch, made.remote
    say(printable(f"commit {commit[:12]} on {made.base[:12]}: {change.message.partition(chr(10))[0]}"))
    try:
        plan(f"{made.base}..{commit}", repo=str(made.folder), path=settings.repository.path)
    except typer.Exit as end:
        # Only what is known to be loadable is published: a status that is not listed here counts as unknown.
        if end.exit_code == PROBLEM:
            fail("the commit has the problems above: no branch has it, and nothing was pushed", PROBLEM)
        if end.exit_code not in (0, CHANGES):
            fail("what the commit would do is not known: no branch has it, and nothing was pushed")
    is_new = made.publish(reverter)
    if made.push:
        say(f"pushed {commit[:12]} to the branch {branch} of {remote}")
        return
    say(f"the branch {branch} {'has it' if is_new else 'had the same change already'}; nothing was pushed. To push it:")
    there = f" -C {shlex.quote(str(made.folder))}" if made.folder != Path() else ""
    say(f"  git{there} push {shlex.quote(remote)} {shlex.quote(branch)}")


def _as_json(repository: Repository, reverter: Reverter, made: _Made, change: _Change, settings: Config) -> None:
    planned, sides, reboot = read_plan(repository, made.base, made.commit, settings.repository.path)
    outlook = Outlook(None, reboot, tuple(sides.notes), sides.held)
    facts: dict[str, Any] = {
        "commit": made.commit,
        "base": made.base,
        "message": change.message,
        "notes": list(change.notes),
    }
    facts["plan"] = plan_data(planned, sides, (made.base, made.commit), outlook)
    if sides.problems:
        emit_json(facts | {"branch": None, "pushed_to": None})
        raise typer.Exit(PROBLEM)
    made.publish(reverter)
    emit_json(facts | {"branch": made.branch, "pushed_to": made.remote if made.push else None})


class _Profile:
    """One profile's own file, now and before."""

    def __init__(self, repository: Repository, reverter: Reverter, path: str, base: str) -> None:
        self._repository = repository
        self._reverter = reverter
        self._path = path
        self._folder = "" if path.strip("/") in ("", ".") else path.strip("/")
        self._base = base

    def back(self, text: str, to: str | None) -> _Change:
        """Raises CannotRevert, PathNotFound, SourceUnavailable."""
        keys = keys_of(text)
        now = self._load(self._base)
        if now.problems:
            fail(f"{self._base[:12]} cannot be loaded: {now.problems[0]}; take back the commit that broke it", PROBLEM)
        owners = {alias: d.key for d in now.documents.values() for alias in d.aliases} | {k: k for k in now.documents}
        owner = next((owners[key] for key in keys if key in owners), None)
        if owner is None:
            return self._removed(keys, to)
        file = self._full(now.documents[owner].path)
        changed = self._reverter.last_change(self._base, [file])
        target = self._target(to, changed)
        files, notes = self._files(owner, file, target)
        if changed is not None and to is None:
            notes += self._by_others(owner, file, changed, now)
        return self._change(owner, target, files, notes)

    def _removed(self, keys: list[ProfileKey], to: str | None) -> _Change:
        """The profile is not there: its file comes back."""
        for commit, file in self._reverter.removals(self._base, self._folder):
            try:
                key = key_of_path(file.removeprefix(f"{self._folder}/" if self._folder else ""))
            except UnreadableProfile:
                continue
            if key in keys:
                target = self._target(to, commit)
                found = self._reverter.file_at(target, file)
                if found is None:
                    fail(f"there is no {file} at {target[:12]}", PROBLEM)
                return self._change(key, target, {file: found}, [])
        fail(f"there is no profile {printable(str(keys[0]))} at {self._base[:12]}, and none was removed", PROBLEM)

    def _target(self, to: str | None, changed: str | None) -> str:
        """The commit at which it was right."""
        if to is not None:
            return self._repository.rev_parse(to) or fail(f"the revision {printable(to)!r} does not exist")
        before = self._reverter.first_parent(changed) if changed is not None else None
        return before or fail("there is no version before this one: it came with the first commit", PROBLEM)

    def _files(self, owner: ProfileKey, file: str, target: str) -> tuple[dict[str, FileAt | None], list[str]]:
        """What its file is to be, which may have had another name; gone, when there was none."""
        found = self._reverter.file_at(target, file)
        if found is not None:
            return {file: found}, []
        then = self._load(target).documents.get(owner)
        if then is None:
            return {file: None}, [f"note: there was no {owner} at {target[:12]}: it is removed"]
        other = self._full(then.path)
        return {file: None, other: self._reverter.file_at(target, other)}, []

    def _by_others(self, owner: ProfileKey, file: str, changed: str, now: Loaded) -> list[str]:
        """A warning when the document has changed since its own file did: that stays as it is."""
        if self._load(changed).documents.get(owner) == now.documents[owner]:
            return []
        commits = self._reverter.changes_between(changed, self._base, self._folder, file, MAX_NAMED)
        first = (
            f"warning: {owner} has also changed by files that it shares with others, which this does not take back; "
            f"since its own file last changed, in {changed[:12]}, there were:"
        )
        return [first, *(f"  {commit}" for commit in commits)]

    def _change(self, key: ProfileKey, target: str, files: dict[str, FileAt | None], notes: list[str]) -> _Change:
        what = "\n".join(f"This sets {name} back to what it was at commit {target}." for name in files)
        slug = re.sub(r"[^A-Za-z0-9-]+", "-", str(key)).strip("-")
        return _Change(
            self._reverter.tree_with(self._base, files), f"Roll back {key} to {target[:12]}\n\n{what}\n",
            f"rollback-{slug}-{target[:12]}", tuple(notes),
        )  # fmt: skip

    def _full(self, path: str) -> str:
        return f"{self._folder}/{path}" if self._folder else path

    def _load(self, commit: str) -> Loaded:
        return asyncio.run(_load(self._repository.git_dir, commit, self._path))


async def _load(location: Path, commit: str, path: str) -> Loaded:
    loading = LoaderProcess(location)
    try:
        return await loading.load(commit, None, path)
    except PathNotFound:
        return Loaded()
    except LoadStalled as error:
        fail(f"{error.path}: {error.what}", PROBLEM)
    finally:
        await loading.close()
