"""The forms of a report of `check`: for people, for programs, for GitHub's annotations, as SARIF."""

import hashlib
import importlib.metadata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any
from urllib.parse import quote

from gitops_profile.loader import RULES, Problem

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ANNOTATIONS_PER_STEP = 10
"""GitHub shows so many errors and so many warnings of one step, and drops the rest without a word."""
_DOCUMENT_FOLDERS = ("user/", "device/", "local-network/")


class Severity(StrEnum):
    """How much a finding weighs, in the words of SARIF and of GitHub."""

    ERROR = "error"
    """The server refuses a revision that has it."""
    WARNING = "warning"
    """Only `check` says it; with --strict it is an error."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem or warning, with what a report says of it."""

    problem: Problem
    severity: Severity
    file: str
    """The path from the root of the repository."""

    @property
    def rule(self) -> str:
        """The id of the rule that is broken."""
        return self.problem.rule

    @property
    def rank(self) -> tuple[bool, bool, Problem]:
        """Worst first: what the server refuses, and of that what many documents are made from."""
        path = self.problem.path
        single = path.startswith(_DOCUMENT_FOLDERS) and not path.endswith("/defaults.yaml")
        return self.severity is Severity.WARNING, single, self.problem


def finding(problem: Problem, folder: str, severity: Severity = Severity.ERROR) -> Finding:
    """A problem or warning of the loader. `folder` is the profiles folder."""
    prefix = folder.strip("/")
    file = problem.path if prefix in ("", ".") else f"{prefix}/{problem.path}"
    return Finding(problem, severity, file)


def as_text(findings: Sequence[Finding]) -> Iterator[str]:
    """File by file; each line begins with a place that terminals and editors can follow, hints come beneath."""
    for number, (_, group) in enumerate(groupby(sorted(findings, key=lambda f: f.problem), lambda f: f.problem.path)):
        if number:
            yield ""
        for found in group:
            problem = found.problem
            place = ":".join(str(part) for part in (problem.path, problem.line, problem.column) if part)
            kind = "warning: " if found.severity is Severity.WARNING else ""
            yield f"{place}: {kind}{problem.message}"
            if problem.hint:
                yield f"    hint: {problem.hint}"


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """One object for each finding."""
    return [
        {
            "path": found.problem.path,
            "file": found.file,
            "line": found.problem.line or None,
            "column": found.problem.column or None,
            "severity": str(found.severity),
            "rule": found.rule,
            "message": found.problem.message,
            "hint": found.problem.hint,
        }
        for found in findings
    ]


def as_github(findings: Sequence[Finding]) -> Iterator[str]:
    """Workflow commands that GitHub shows beside the lines of a pull request, and a line for those it would drop."""
    ordered = sorted(findings, key=lambda found: found.rank)
    for severity in Severity:
        of_kind = [found for found in ordered if found.severity is severity]
        yield from map(_annotation, of_kind[:ANNOTATIONS_PER_STEP])
        more = len(of_kind) - ANNOTATIONS_PER_STEP
        if more > 0:
            yield f"and {more} more {severity}{'s' if more > 1 else ''} without an annotation"


def as_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """A SARIF 2.1.0 log with one run."""
    ids = sorted({found.rule for found in findings})
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "gitops-profile",
                        "version": importlib.metadata.version("gitops-profile"),
                        "rules": [{"id": rule, "shortDescription": {"text": RULES[rule]}} for rule in ids],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(found, ids) for found in findings],
            }
        ],
    }


def _result(found: Finding, ids: list[str]) -> dict[str, Any]:
    problem = found.problem
    # A problem of the whole file is shown at its first line: GitHub drops a result without a line.
    region = {"startLine": problem.line or 1}
    if problem.column:
        region["startColumn"] = problem.column
    place = {"artifactLocation": {"uri": quote(found.file), "uriBaseId": "%SRCROOT%"}, "region": region}
    return {
        "ruleId": found.rule,
        "ruleIndex": ids.index(found.rule),
        "level": str(found.severity),
        # Of what it is about, and not of its line: a finding stays the same when lines are added above it.
        "partialFingerprints": {"problem/v1": _fingerprint(found)},
        "message": {"text": problem.message + (f" ({problem.hint})" if problem.hint else "")},
        "locations": [{"physicalLocation": place}],
    }


def _fingerprint(found: Finding) -> str:
    about = "\0".join((found.rule, found.file, found.problem.message))
    return hashlib.sha256(about.encode()).hexdigest()[:32]


def _annotation(found: Finding) -> str:
    problem = found.problem
    properties = {"file": found.file, "line": problem.line, "col": problem.column, "title": RULES[found.rule]}
    given = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items() if value)
    return f"::{found.severity} {given}::" + _data(problem.message + (f"\n{problem.hint}" if problem.hint else ""))


def _data(text: str) -> str:
    """Text of a workflow command: a line end would end it, and the rest be another command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
