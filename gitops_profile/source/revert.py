"""Commits that take something back: made as objects and a branch, with no look at the work tree or the index.

The one module that writes to a repository of a person. What it makes is what `git revert` would have made (the same
three-way merge, by git itself); a server never calls it.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import git

from .opening import open_git

_NOBODY = {
    f"GIT_{who}_{what}": text
    for who in ("AUTHOR", "COMMITTER")
    for what, text in (("NAME", "nobody"), ("EMAIL", "nobody@invalid"), ("DATE", "@0 +0000"))
}
"""For commits that only tell git what to merge; no branch ever has them."""
NEEDS = "2.38"
"""The git whose `merge-tree` merges without a work tree."""


class CannotRevert(Exception):
    """It cannot be taken back in this way; the message says why, and what to do."""


class RevertConflict(CannotRevert):
    """Later commits changed the same lines."""

    def __init__(self, message: str, files: Sequence[str]) -> None:
        super().__init__(message)
        self.files = tuple(files)


@dataclass(frozen=True, slots=True)
class FileAt:
    """What a path is to be in the new commit."""

    mode: str
    blob: str


class Reverter:
    """Makes commits in one repository, as whoever runs this."""

    def __init__(self, location: Path) -> None:
        """Raises NotARepository."""
        self._repo = open_git(location, {})
        self._git = self._repo.git

    def close(self) -> None:
        """End every git process."""
        self._repo.close()

    # -- what the new tree is --------------------------------------------------------------------------------------

    def reverted_tree(self, commit: str, onto: str) -> str:
        """The tree of `onto` without what `commit` did; of a merge, without what it brought in (`-m 1`).

        Raises RevertConflict, CannotRevert.
        """
        parent = next(iter(self._parents(commit)), None)
        before = self._tree(parent) if parent is not None else self._run("mktree", given=b"")
        # merge-tree takes no base before git 2.40; two commits whose only parent holds the reverted tree have one.
        base = self._nameless(self._tree(commit))
        ours, theirs = self._nameless(self._tree(onto), base), self._nameless(before, base)
        try:
            status, out, said = self._git.execute(
                ["git", "merge-tree", "--write-tree", "-z", "--name-only", ours, theirs],
                with_extended_output=True, with_exceptions=False, stdout_as_string=False, strip_newline_in_stdout=False,
            )  # fmt: skip
        except OSError as error:
            raise CannotRevert(f"git cannot be started: {error}") from error
        if status == 0:
            return bytes(out).split(b"\0")[0].decode().strip()
        if status != 1:
            raise CannotRevert(f"git merge-tree failed (git {NEEDS} or later is needed): {_text(said)}")
        files = _conflicts(bytes(out))
        mainline = "-m 1 " if len(self._parents(commit)) > 1 else ""
        raise RevertConflict(
            f"later commits changed the same places in {', '.join(files)}; revert it by hand: "
            f"git revert {mainline}{commit[:12]}, mend these files, git revert --continue",
            files,
        )

    def file_at(self, commit: str, path: str) -> FileAt | None:
        """What a path is at a commit; None when it is not there. Raises CannotRevert."""
        out = self._run("ls-tree", "-z", "--full-tree", commit, "--", f":(literal){path}")
        if not out:
            return None
        mode, kind, blob = out.partition("\t")[0].split()
        if kind != "blob":
            raise CannotRevert(f"{path} is a {kind} at {commit[:12]}, not a file")
        return FileAt(mode, blob)

    def tree_with(self, onto: str, files: Mapping[str, FileAt | None]) -> str:
        """The tree of `onto` with these paths as they are given; None removes. Raises CannotRevert."""
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
            self._run("read-tree", onto, environment=index)
            nothing = "0" * len(self._tree(onto))  # 64 digits in a repository with SHA-256
            # A removal first: a file may come where a folder was.
            for path, found in sorted(files.items(), key=lambda item: item[1] is not None):
                mode, blob = (found.mode, found.blob) if found is not None else ("0", nothing)
                line = f"{mode} {blob}\t{path}\0".encode("utf-8", "surrogateescape")
                self._run("update-index", "-z", "--index-info", environment=index, given=line)
            return self._run("write-tree", environment=index)

    def tree_of(self, commit: str) -> str:
        """The tree of a commit; raises CannotRevert."""
        return self._tree(commit)

    # -- the commit ------------------------------------------------------------------------------------------------

    def revert_message(self, commit: str) -> str:
        """As `git revert` writes it."""
        subject = self._run("log", "-1", "--no-show-signature", "--format=%B", commit).strip("\n").partition("\n")[0]
        parents = self._parents(commit)
        of_merge = f", reversing\nchanges made to {parents[0]}" if len(parents) > 1 else ""
        return f'Revert "{subject}"\n\nThis reverts commit {commit}{of_merge}.\n'

    def commit(self, tree: str, parent: str, message: str) -> str:
        """A commit by whoever runs this, signed when `commit.gpgsign` says so; no branch has it yet.

        Raises CannotRevert, when git does not know who that is, too.
        """
        for person in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            try:
                self._git.var(person)
            except git.GitCommandError as error:
                raise CannotRevert(
                    "git does not know who you are; tell it with: git config --global user.name 'Your Name' and "
                    "git config --global user.email you@example.com"
                ) from error
        sign = ["-S"] if self._config("commit.gpgsign") == "true" else []
        return self._run("commit-tree", *sign, tree, "-p", parent, "-F", "-", given=message.encode())

    def create_branch(self, name: str, commit: str) -> bool:
        """A new local branch; False when it is there already, as this very change. Raises CannotRevert."""
        try:
            self._git.check_ref_format("--branch", name)
        except git.GitCommandError as error:
            raise CannotRevert(f"{name!r} is no name for a branch; name another one with --branch") from error
        ref = f"refs/heads/{name}"
        known = self._maybe("rev-parse", "--verify", "--quiet", ref)
        if known is None:
            self._run("update-ref", "-m", "gitops-profile rollback", ref, commit, "")
            return True
        same = (self._tree(known), self._parents(known)) == (self._tree(commit), self._parents(commit))
        if not same:
            raise CannotRevert(f"there is a branch {name} already; name another one with --branch, or delete it")
        return False

    def push(self, remote: str, commit: str, branch: str) -> None:
        """Have the remote's branch be this commit; never with force. Raises CannotRevert."""
        if remote.startswith("-"):
            raise CannotRevert(f"{remote!r} is no remote")
        self._run("push", "--porcelain", remote, f"{commit}:refs/heads/{branch}")

    # -- which commits ---------------------------------------------------------------------------------------------

    def last_change(self, onto: str, paths: Sequence[str]) -> str | None:
        """The newest commit on the way of first parents that touched one of these paths; None when none did."""
        limits = [f":(literal){path}" for path in paths]
        return self._run("rev-list", "-1", "--first-parent", onto, "--", *limits) or None

    def first_parent(self, commit: str) -> str | None:
        """None of a root commit."""
        return next(iter(self._parents(commit)), None)

    def changes_between(self, older: str, newer: str, folder: str, without: str, limit: int) -> list[str]:
        """Commits with their subjects that touched other files of the folder than `without`, the newest first."""
        limits = [f":(literal){folder}" if folder else ".", f":(exclude,literal){without}"]
        out = self._run(
            "log", f"-{limit}", "--first-parent", "--no-show-signature", "--format=%h %s", f"{older}..{newer}", "--",
            *limits,
        )  # fmt: skip
        return out.splitlines()

    def removals(self, onto: str, folder: str) -> list[tuple[str, str]]:
        """Commit and path of every file that was removed from a folder, the newest first."""
        limit = f":(literal){folder}" if folder else "."
        out = self._run(
            "log", "--first-parent", "-m", "--no-show-signature", "--no-renames", "--diff-filter=D", "--name-only",
            "-z", "--format=%x01%H", onto, "--", limit,
        )  # fmt: skip
        found = []
        for part in out.split("\1")[1:]:
            commit, *paths = [text.strip("\n") for text in part.split("\0") if text.strip("\n")]
            found += [(commit.strip(), path) for path in paths]
        return found

    # -- git -------------------------------------------------------------------------------------------------------

    def _parents(self, commit: str) -> list[str]:
        """None of a root commit; raises CannotRevert where a shallow clone ends: all files would be that commit's."""
        parents = self._run("rev-list", "--parents", "-1", commit).split()[1:]
        if not parents and "\nparent " in self._run("cat-file", "commit", commit).partition("\n\n")[0]:
            raise CannotRevert(
                f"this clone is shallow and has nothing before {commit[:12]}; fetch the rest: git fetch --unshallow"
            )
        return parents

    def _tree(self, commit: str) -> str:
        return self._run("rev-parse", "--verify", f"{commit}^{{tree}}")

    def _nameless(self, tree: str, *parents: str) -> str:
        several = [part for parent in parents for part in ("-p", parent)]
        return self._run("commit-tree", tree, *several, "-m", "base", environment=_NOBODY)

    def _config(self, name: str) -> str | None:
        return self._maybe("config", "--type=bool", "--get", name)

    def _maybe(self, *arguments: str) -> str | None:
        try:
            return str(self._git.execute(["git", *arguments])).strip()
        except git.GitCommandError:
            return None

    def _run(self, *arguments: str, environment: Mapping[str, str] | None = None, given: bytes | None = None) -> str:
        """What git says, without the last line end; raises CannotRevert with what it says of a failure."""
        # A file, for GitPython does not write to a pipe while it reads.
        with tempfile.TemporaryFile() as file:
            file.write(given or b"")
            file.seek(0)
            try:
                out = self._git.execute(
                    ["git", *arguments], istream=file, env=dict(environment or {}), stdout_as_string=False
                )
            except git.GitCommandError as error:
                raise CannotRevert(f"git {arguments[0]} failed: {_text(error.stderr)}") from error
        return bytes(out).decode("utf-8", "surrogateescape")


def _conflicts(out: bytes) -> list[str]:
    """The files in merge-tree's answer: they follow the tree, up to the empty field."""
    names = []
    for field in out.split(b"\0")[1:]:
        if not field:
            break
        names.append(field.decode("utf-8", "backslashreplace"))
    return list(dict.fromkeys(names))


def _text(said: object) -> str:
    """What git said on standard error, as one line."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    text = text.strip().removeprefix("stderr: '").removesuffix("'")
    return " ".join(line.removeprefix("hint: ").strip() for line in text.splitlines() if line.strip())
