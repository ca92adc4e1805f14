"""What is staged for the next commit."""

import git

from .errors import SourceUnavailable

Entry = tuple[str, str, str]
"""Path inside the folder, mode and blob."""


def read_index(commands: git.Git, folder: str) -> list[Entry]:
    """Every file under the folder ("" is all) as it is staged; raises SourceUnavailable."""
    entries = []
    for line in _lines(commands, "ls-files", "-s", "-z", "--full-name", folder=folder):
        meta, _, name = line.partition(b"\t")
        mode, blob, stage = meta.decode().split()
        if stage == "0":  # others are of a merge that is not resolved; git commits none of them
            entries.append((_inside(folder, name), mode, blob))
    return entries


def read_staged(commands: git.Git, folder: str) -> set[str]:
    """Paths under the folder that the index has otherwise than HEAD, removed ones too; raises SourceUnavailable."""
    options = ("--cached", "--name-only", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", "-z")
    return {_inside(folder, name) for name in _lines(commands, "diff", *options, folder=folder)}


def _lines(commands: git.Git, command: str, *options: str, folder: str) -> list[bytes]:
    limit = ("--", f":(top,literal){folder}/") if folder else ()
    try:
        out: bytes = getattr(commands, command.replace("-", "_"))(*options, *limit, stdout_as_string=False)
    except git.GitCommandError as error:
        raise SourceUnavailable(f"git {command} failed: {error.stderr.strip()}") from error
    return [line for line in out.split(b"\0") if line]


def _inside(folder: str, name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape").removeprefix(f"{folder}/" if folder else "")
