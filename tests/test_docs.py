"""The documents say nothing that is not so: names, links, commands, flags and settings in them exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import typer.main
from typer.core import TyperGroup

from gitops_profile.cli.app import app
from gitops_profile.config import settings
from gitops_profile.loader import RULES
from gitops_profile.metrics import Metrics
from gitops_profile.transport import Reason

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = {"--git-dir", "--bare", "--export", "--armor"} | {
    flag
    for path in (ROOT / "tests/bench").glob("*.py")
    for flag in re.findall(r'add_argument\("(--[a-z-]+)"', path.read_text())
}
"""Flags of other programs, and of our benchmarks."""

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def commands(command: object, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every verb with its command, groups included."""
    yield name, command
    if isinstance(command, TyperGroup):
        for verb in command.list_commands(CONTEXT):
            yield from commands(command.get_command(CONTEXT, verb), (*name, verb))


CONTEXT = typer.Context(typer.main.get_command(app))
COMMANDS = dict(commands(typer.main.get_command(app)))
FLAGS = {
    flag
    for command in COMMANDS.values()
    for parameter in getattr(command, "params", ())
    for flag in (*parameter.opts, *parameter.secondary_opts)
} | {"--help", "--version"}


def test_the_commands_were_found() -> None:
    assert ("log", "verify") in COMMANDS and "--repo" in FLAGS and len(COMMANDS) > 10


def test_everything_named_in_rfcs_exists() -> None:
    text = (ROOT / "docs/rfcs.md").read_text()
    paths = set(re.findall(r"`([\w./]+/[\w./]+)`", text))
    named = set(re.findall(r"`(test_\w+)`", text))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(paths) > 10 and len(named) > 20
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    assert sorted(named - defined) == []


@documents
def test_relative_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


@documents
def test_benchmarks_exist(document: Path) -> None:
    named = re.findall(r"tests/bench/\w+\.py", document.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@documents
def test_commands_exist(document: Path) -> None:
    code = re.findall(r"```.*?```|`[^`\n]+`", document.read_text(), re.DOTALL)
    used = [match for piece in code for match in re.findall(r"gitops-profile ([a-z-]+)(?: ([a-z]+)\b)?", piece)]
    unknown = [(verb, second) for verb, second in used if (verb,) not in COMMANDS]
    unknown += [
        (verb, second)
        for verb, second in used
        if hasattr(COMMANDS.get((verb,)), "commands") and (verb, second) not in COMMANDS
    ]
    assert unknown == []


@documents
def test_flags_exist(document: Path) -> None:
    lines = [line for line in document.read_text().splitlines() if not re.search(r"\bgit [a-z]|\bpip |apt-get", line)]
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join(lines)))
    assert sorted(used - FLAGS - OTHERS) == []


def rows() -> dict[str, list[str]]:
    """The table of settings, by key."""
    text = (ROOT / "docs/operating.md").read_text()
    found = re.findall(r"^\| `([a-z_.]+)` \|(.*)\|$", text, re.MULTILINE)
    return {key: [cell.strip().strip("`") for cell in rest.split("|")] for key, rest in found}


@pytest.mark.parametrize("setting", settings(), ids=lambda setting: setting.key)
def test_every_setting_is_explained(setting: object) -> None:
    key, variable, default = (str(getattr(setting, name)) for name in ("key", "variable", "default"))
    flag, named, shown, meaning = rows()[key]
    assert named == variable and meaning
    serve = COMMANDS[("serve",)]
    offered = {opt for parameter in getattr(serve, "params", ()) for opt in parameter.opts}
    assert not flag or flag in offered
    plain = re.sub(r'[\[\]"` ]', "", default).removesuffix(".0") if default != "[]" else default
    assert re.sub(r"[` ]", "", shown) == plain


def test_every_metric_is_explained() -> None:
    text = (ROOT / "docs/operating.md").read_text()
    families = re.findall(r"^# TYPE (gitops_profile_\w+)", Metrics().exposition().decode(), re.MULTILINE)
    assert len(families) > 5
    assert [name for name in families if f"`{name}" not in text and not name.endswith("_created")] == []


def test_every_reason_for_which_a_connection_is_refused_is_explained() -> None:
    text = (ROOT / "docs/operating.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| `connection refused source=… reason=…`"))
    assert [reason for reason in Reason if f"`{reason}`" not in row] == []


def test_every_rule_of_check_is_explained_and_no_other() -> None:
    text = (ROOT / "docs/profile-repository.md").read_text().partition("Each finding has a rule")[2].partition("## ")[0]
    assert dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", text, re.MULTILINE)) == RULES
