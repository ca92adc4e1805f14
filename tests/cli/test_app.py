"""The program as a whole: its version, its help, and that a command costs only what it needs."""

import importlib.metadata
import subprocess
import sys

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
