"""A command in this process, without the half second that one of its own takes to start; tests/system starts those."""

from contextlib import chdir
from pathlib import Path

from typer.testing import CliRunner

from gitops_profile.cli.app import app
from tests.repositories import ENVIRONMENT


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The exit status and what it says on standard output and standard error, in that folder."""
    with chdir(folder):
        done = CliRunner(env=ENVIRONMENT).invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done.exit_code, done.stdout, done.stderr
