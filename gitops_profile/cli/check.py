"""`check`: what is wrong in the profiles, for the one who is about to commit or merge them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import ConfigFile, Path_, Repo, configured
from .output import PROBLEM, emit_json, fail, printable, say
from .profiles import load_profiles, open_repository
from .reports import Finding, Severity, as_github, as_json, as_sarif, as_text, finding


class Report(StrEnum):
    """Of `-o`."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="report only problems of these files or folders")] = None,
    repo: Repo = None,
    ref: Annotated[
        str | None, typer.Option("--ref", help="check a revision instead of the files as they are now")
    ] = None,
    path: Path_ = None,
    config: ConfigFile = None,
    output: Annotated[
        Report, typer.Option("-o", "--output", help="github: annotations of a workflow; sarif: SARIF 2.1.0")
    ] = Report.TEXT,
) -> None:
    """Problems in the profiles, as they are on disk or at a revision.

    Exit status 1 when there are any, 2 when it cannot be told.
    """
    settings = configured(config, repository__url=repo, repository__path=path)
    for wanted in paths or []:
        if not wanted.exists():
            fail(f"{wanted}: no such file or folder")
    folder = settings.repository.path
    with open_repository(settings) as repository:
        loaded = load_profiles(settings, repository, ref)
        root = (repository.work_tree or repository.git_dir) / folder
    findings = [finding(p, folder) for p in loaded.problems if not paths or _concerns(root / p.path, paths)]
    _report(findings, output, f"{len(loaded.documents)} profiles")
    if any(found.severity is Severity.ERROR for found in findings):
        raise typer.Exit(PROBLEM)


def _report(findings: list[Finding], output: Report, checked: str) -> None:
    match output:
        case Report.JSON:
            emit_json(as_json(findings))
        case Report.SARIF:
            emit_json(as_sarif(findings))
        case Report.TEXT | Report.GITHUB:
            for line in (as_text if output is Report.TEXT else as_github)(findings):
                say(printable(line))
            errors = sum(found.severity is Severity.ERROR for found in findings)
            warnings = len(findings) - errors
            say(f"{checked}, {errors} problems" + (f", {warnings} warnings" if warnings else ""))


def _concerns(file: Path, wanted: list[Path]) -> bool:
    resolved = file.resolve()
    return any(resolved == w.resolve() or w.resolve() in resolved.parents for w in wanted)
