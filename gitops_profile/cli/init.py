"""`init`: a new profile repository that can be served at once."""

import shlex
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from .output import fail, say
from .sample import sample_folder, vendor_files

STARTER = Path(str(files("gitops_profile.cli"))) / "starter"
BRANCH = "main"
"""What `serve` serves by default."""


def init(
    folder: Annotated[Path, typer.Argument(help="where; it is made if it is not there", metavar="[FOLDER]")] = Path(),
    no_git: Annotated[bool, typer.Option("--no-git", help="only write the files")] = False,
) -> None:
    """Write a new profile repository with one user, one phone and templates for six makes of phones."""
    if not no_git and (folder / ".git").exists():
        fail(f"{folder} is a git repository already; add the files with --no-git, and commit them yourself")
    written = _plan(folder)
    if not no_git:
        _begin(folder)
    try:
        for source, target in written:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    except OSError as error:
        fail(f"{error.filename} cannot be written: {error.strerror}")
    for _, target in written:
        say(f"wrote {target}")
    if not no_git:
        _commit(folder)
    say("next:")
    say(f"  gitops-profile serve --repo {shlex.quote(str(folder))}" + ("   # once it is committed" if no_git else ""))
    say("  gitops-profile phone sip:alice@example.com")


def _plan(folder: Path) -> list[tuple[Path, Path]]:
    """What is to be copied where; ends the command when something is there already."""
    copies = []
    for source in sorted(path for path in STARTER.rglob("*") if path.is_file()):
        relative = source.relative_to(STARTER)
        # Under its own name git and the build would obey it.
        copies.append((source, folder / (".gitignore" if relative == Path("gitignore") else relative)))
    sample = sample_folder()
    if sample is None:
        fail("the sample profiles are not installed; install gitops-profile again")
    copies += [(sample / path, folder / "profiles" / path) for path in vendor_files(sample)]
    for existing in (folder / "profiles", folder / "profiles.yaml", *(target for _, target in copies)):
        if existing.exists():
            fail(f"{existing} is there already; nothing was written, name another folder")
    return copies


def _begin(folder: Path) -> None:
    """A repository in which somebody can commit; ends the command, and leaves nothing behind, when nobody can.

    Who commits is asked inside, for git's settings may depend on where the repository is.
    """
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for arguments in (("init", "-q", "-b", BRANCH), ("var", "GIT_AUTHOR_IDENT"), ("var", "GIT_COMMITTER_IDENT")):
            done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
            if done.returncode != 0:
                break
        else:
            return
    except FileNotFoundError:
        fail("nothing was written: git is not installed (apt-get install git); --no-git only writes the files")
    except OSError as error:
        fail(f"{error.filename} cannot be written: {error.strerror}")
    shutil.rmtree(folder if is_new else folder / ".git", ignore_errors=True)
    if arguments[0] == "var":
        fail(
            "nothing was written: git does not know who you are; tell it with: git config --global user.name "
            "'Your Name' and git config --global user.email you@example.com; --no-git only writes the files"
        )
    said = " ".join(done.stderr.decode(errors="backslashreplace").split())
    fail(f"nothing was written: git init failed: {said}")


def _commit(folder: Path) -> None:
    """The first commit, as the person who runs this."""
    for arguments in (
        ("add", "--all"),
        ("commit", "-q", "-m", "A profile repository with one user and one phone"),
    ):
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
        if done.returncode != 0:
            said = " ".join(done.stderr.decode(errors="backslashreplace").split())
            fail(f"the files are written, but git {arguments[0]} failed: {said}")
    say(f"committed to the branch {BRANCH} of {folder}")
