"""A repository, opened with GitPython: what is wrong with it is said once, in words for an operator."""

import os
from collections.abc import Mapping
from pathlib import Path

import git

from .errors import NotARepository
from .trouble import refusal

_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # A hook has the first after `git --literal-pathspecs commit`, as Magit runs it: git would then look for a file that
    # is named ":(literal)profiles/", find none, and say that nothing has changed.
    **dict.fromkeys([f"GIT_{kind}_PATHSPECS" for kind in ("LITERAL", "GLOB", "NOGLOB", "ICASE")], "0"),
}


def open_git(location: Path, environment: Mapping[str, str]) -> git.Repo:
    """The repository in which `location` is, whose git commands mean the same whoever starts them.

    They have `environment` besides. Raises NotARepository.
    """
    try:
        repository = git.Repo(location, search_parent_directories=True)
        folder = repository.working_tree_dir
        if folder is not None and not os.path.isabs(folder) and "GIT_WORK_TREE" not in os.environ:
            # A submodule's git folder says where its files are, relative to itself (core.worktree). GitPython takes it
            # as relative to the folder in which the process was started.
            repository = git.Repo(os.path.join(repository.git_dir, folder))
    except git.NoSuchPathError as error:
        raise NotARepository(f"{location}: no such folder") from error
    except git.InvalidGitRepositoryError as error:
        raise NotARepository(
            f"{location} is not in a git repository; name one with --repo, or make one with: git init"
        ) from error
    repository.git.update_environment(**_ENVIRONMENT, **environment)
    try:
        repository.git.rev_parse("--git-dir")
    except git.GitCommandError as error:
        raise NotARepository(refusal(location, error.stderr, said(error))) from error
    except git.GitCommandNotFound as error:
        raise NotARepository(
            f"{location} cannot be read: there is no git in PATH; install it (apt-get install git)"
        ) from error
    return repository


def said(error: git.GitCommandError) -> str:
    """What git itself said on standard error, the last line of it, and that before it which it belongs to."""
    lines = error.stderr.strip().removeprefix("stderr: '").removesuffix("'").strip().splitlines() or [""]
    belongs = len(lines) > 1 and lines[-1][:1].isspace()  # "fatal: unknown repository extension found:", and which
    return " ".join(line.strip() for line in lines[-2 if belongs else -1 :])
