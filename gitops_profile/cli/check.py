"""`check`: what is wrong in the profiles, for the one who is about to commit or merge them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .opening import check_profiles, open_repository
from .options import ConfigFile, Path_, Repo, configured
from .output import PROBLEM, emit_json, fail, printable, say
from .reports import Finding, Severity, as_github, as_json, as_sarif, as_text, finding


class Report(StrEnum):
    """Of `-o`."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="report only problems of these files or folders")] = None,
    staged: Annotated[
        bool, typer.Option("--staged", help="check what is staged for the next commit, and only that when it can be")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="a warning counts as a problem")] = False,
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
    """Problems in the profiles, as they are on disk, staged, or at a revision; and credentials that everybody can read.

    Without --repo, the repository around the first of the paths is checked. Exit status 1 when there are problems (with
    --strict: or warnings), 2 when it cannot be told.
    """
    if staged and ref is not None:
        fail("--staged and --ref are two different things to check")
    for wanted in paths or []:
        if not wanted.exists():
            fail(f"{wanted}: no such file or folder")
    if repo is None and paths:
        repo = str(paths[0] if paths[0].is_dir() else paths[0].parent)
    settings = configured(config, repository__url=repo, repository__path=path)
    folder = settings.repository.path
    with open_repository(settings) as repository:
        root = (repository.work_tree or repository.git_dir).resolve()
        for wanted in paths or []:
            if not wanted.resolve().is_relative_to(root):
                fail(f"{wanted} is not in the repository {root}; check one repository at a time")
        loaded = check_profiles(settings, repository, ref, staged=staged)
    weight = Severity.ERROR if strict else Severity.WARNING
    found = [(problem, Severity.ERROR) for problem in loaded.problems]
    found += [(problem, weight) for problem in loaded.warnings]
    findings = [finding(p, folder, s) for p, s in found if not paths or _concerns(root / folder / p.path, paths)]
    _report(findings, output, f"{loaded.count} profiles")
    if any(one.severity is Severity.ERROR for one in findings):
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
