"""What is staged for the next commit."""

import git

from .errors import SourceUnavailable

Entry = tuple[str, str, str]
"""Path inside the folder, mode and blob."""
_EMPTY = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
"""The blob of an empty file, by SHA-1 and SHA-256."""
_STAGED = ("--cached", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", "-z")


def read_index(commands: git.Git, folder: str) -> list[Entry]:
    """Every file under the folder ("" is all) as git would commit it now; raises SourceUnavailable."""
    entries = []
    for line in _lines(commands, "ls-files", "-s", "-z", "--full-name", folder=folder):
        meta, _, name = line.partition(b"\t")
        mode, blob, stage = meta.decode().split()
        if stage == "0":  # others are of a merge that is not resolved; git commits none of them
            entries.append((_inside(folder, name), mode, blob))
    empty = {path for path, _, blob in entries if blob in _EMPTY}
    intended = _intended(commands, folder) if empty else set()
    return [entry for entry in entries if entry[0] not in empty & intended]


def read_staged(commands: git.Git, folder: str) -> set[str]:
    """Paths under the folder that the index has otherwise than HEAD, removed ones too; raises SourceUnavailable."""
    options = (*_STAGED, "--name-only", "--ita-invisible-in-index")
    return {_inside(folder, name) for name in _lines(commands, "diff", *options, folder=folder)}


def _intended(commands: git.Git, folder: str) -> set[str]:
    """Paths that git has in the index only to show them, as `git add -N` says: it commits none of them.

    They look like empty files there, and no command lists them: with them there are more additions, and without them
    what HEAD has at such a path is removed. Paths that are really removed may be among the answer.
    """
    options = (*_STAGED, "--name-only")
    shown = _lines(commands, "diff", *options, "--ita-visible-in-index", "--diff-filter=A", folder=folder)
    added = _lines(commands, "diff", *options, "--ita-invisible-in-index", "--diff-filter=A", folder=folder)
    removed = _lines(commands, "diff", *options, "--ita-invisible-in-index", "--diff-filter=D", folder=folder)
    return {_inside(folder, name) for name in {*shown} - {*added} | {*removed}}


def _lines(commands: git.Git, command: str, *options: str, folder: str) -> list[bytes]:
    limit = ("--", f":(top,literal){folder}/") if folder else ()
    try:
        out: bytes = getattr(commands, command.replace("-", "_"))(*options, *limit, stdout_as_string=False)
    except git.GitCommandError as error:
        raise SourceUnavailable(f"git {command} failed: {error.stderr.strip()}") from error
    return [line for line in out.split(b"\0") if line]


def _inside(folder: str, name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape").removeprefix(f"{folder}/" if folder else "")
