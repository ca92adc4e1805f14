"""The program as a whole: its version, its help, and that a command costs only what it needs."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gitops_profile.cli.app import app


def test_the_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, importlib.metadata.version("gitops-profile") + "\n")


def test_every_command_has_its_help() -> None:
    listed = CliRunner().invoke(app, ["--help"])
    assert listed.exit_code == 0
    for name in ("serve", "render", "get", "approve", "log"):
        assert f" {name} " in listed.stdout
        one = CliRunner().invoke(app, [name, "-h"])
        assert one.exit_code == 0 and f" {name} " in one.stdout, one.stdout
    unknown = CliRunner().invoke(app, ["chek"])
    assert unknown.exit_code == 2 and "chek" in unknown.stderr


def test_a_command_imports_no_other_command() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from gitops_profile.cli.app import app\n"
        "assert CliRunner().invoke(app, ['passwd', '-h']).exit_code == 0\n"
        "print(*sorted(name for name in sys.modules if name.startswith('gitops_profile.') or name == 'aiohttp'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "gitops_profile.cli.passwd" in loaded
    assert not {"gitops_profile.cli.serve", "gitops_profile.server", "gitops_profile.sip", "aiohttp"} & set(loaded)


@pytest.mark.parametrize("command", ["check", "plan", "blame user/example.com/alice", "rollback HEAD", "log rebuild"])
def test_without_git_a_command_says_so_in_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    for folder in ("objects", "refs"):
        (tmp_path / ".git" / folder).mkdir()
    arguments = [sys.executable, "-m", "gitops_profile", *command.split()]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert (
        done.stderr == "gitops-profile: . cannot be read: there is no git in PATH; install it (apt-get install git)\n"
    )


def test_the_help_needs_no_git(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "gitops_profile", "--help"]
    done = subprocess.run(
        arguments, cwd=tmp_path, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "rollback" in done.stdout, done.stderr


def test_a_file_at_which_the_system_fails_is_named(tmp_path: Path) -> None:
    name = "n" * 300  # longer than a name may be, which fails for root too
    arguments = [sys.executable, "-m", "gitops_profile", "events", "--state", name]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"gitops-profile: {name}/log: File name too long\n")
