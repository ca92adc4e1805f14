"""A report is read by a program that this project did not write: each form follows its own rules."""

import importlib

import pytest

from gitops_profile.cli.reports import Finding, Severity, as_github, as_json, as_sarif, as_text, finding
from gitops_profile.loader import RULES, Problem
from tests.loader.tree import whole

ALICE = "user/example.com/alice.yaml"


def found(line: int = 3, path: str = ALICE, *, warning: bool = False) -> Finding:
    rule = "plaintext-credential" if warning else "unknown-key"
    problem = Problem(path, line, 1, "unknown key 'valus'", "did you mean 'values'?", rule)
    return finding(problem, "profiles", Severity.WARNING if warning else Severity.ERROR)


def test_text_is_by_file_with_its_hints_beneath() -> None:
    findings = [found(3), found(9), found(1, path="user/example.com/bob.yaml", warning=True)]
    assert list(as_text(findings)) == [
        f"{ALICE}:3:1: unknown key 'valus'",
        "    hint: did you mean 'values'?",
        f"{ALICE}:9:1: unknown key 'valus'",
        "    hint: did you mean 'values'?",
        "",
        "user/example.com/bob.yaml:1:1: warning: unknown key 'valus'",
        "    hint: did you mean 'values'?",
    ]


def test_an_annotation_names_the_file_from_the_root_of_the_repository() -> None:
    (line,) = as_github([found()])
    assert line == (
        "::error file=profiles/user/example.com/alice.yaml,line=3,col=1,"
        f"title={RULES['unknown-key']}::unknown key 'valus'%0Adid you mean 'values'?"
    )
    assert finding(Problem(ALICE, 0, 0, "x"), ".").file == ALICE


def test_no_text_of_a_file_ends_an_annotation_or_begins_another_one() -> None:
    hostile = finding(Problem("user/a,line=9:b%.xml", 0, 0, "50%\r\n::set-output name=x::y"), "profiles")
    (line,) = as_github([hostile])
    assert "\n" not in line and "\r" not in line
    assert line.startswith("::error file=profiles/user/a%2Cline=9%3Ab%25.xml,title=")
    assert line.endswith("::50%25\\r\\n::set-output name=x::y")


def test_no_text_of_a_file_begins_a_line_for_people() -> None:
    """What a job prints is obeyed by its runner, a line that begins with `::` as a command."""
    hostile = Problem("user/a\n::set-output name=x::y.xml", 0, 0, "no\u2028::error::\x1b[2J", "a\rb\tc\x85\udc80")
    first, hint = as_text([finding(hostile, "profiles")])
    assert first == r"user/a\n::set-output name=x::y.xml: no\u2028::error::\x1b[2J"
    assert hint == "    hint: a\\rb\tc\\x85\\udc80"


@pytest.mark.parametrize(("count", "last"), [(10, "::error"), (11, "and 1 more error "), (31, "and 21 more errors ")])
def test_what_github_would_drop_is_counted(count: int, last: str) -> None:
    lines = list(as_github([found(n + 1) for n in range(count)]))
    assert sum(line.startswith("::") for line in lines) == 10
    assert lines[-1].startswith(last)


def test_the_worst_is_annotated_first() -> None:
    findings = [found(warning=True), found(), found(path="user/defaults.yaml")]
    kinds = [line.partition(",")[0] for line in as_github(findings)]
    assert kinds == [
        "::error file=profiles/user/defaults.yaml",
        "::error file=profiles/user/example.com/alice.yaml",
        "::warning file=profiles/user/example.com/alice.yaml",
    ]


def test_sarif_has_relative_uris_known_rules_and_lines_from_one() -> None:
    log = as_sarif([found(), finding(Problem("user/example.com/ä b.xml", 0, 0, "is a symbolic link"), "profiles")])
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert [place["region"] for place in places] == [{"startLine": 3, "startColumn": 1}, {"startLine": 1}]
    assert places[1]["artifactLocation"]["uri"] == "profiles/user/example.com/%C3%A4%20b.xml"


def test_sarif_is_what_an_independent_model_of_the_standard_takes() -> None:
    sarif = importlib.import_module("fluidattacks_core.sarif")
    log = as_sarif([found(), found(warning=True)])
    assert len(sarif.SarifLog.model_validate(log).runs[0].results) == 2


def test_a_finding_is_the_same_one_when_lines_are_added_above_it() -> None:
    def fingerprint(one: Finding) -> object:
        return as_sarif([one])["runs"][0]["results"][0]["partialFingerprints"]

    assert fingerprint(found(3)) == fingerprint(found(30))
    assert fingerprint(found(3)) != fingerprint(found(3, path="user/example.com/bob.yaml"))


def test_json_says_which_rule_and_how_bad() -> None:
    (row,) = as_json([found()])
    assert (row["path"], row["line"], row["severity"], row["rule"]) == (ALICE, 3, "error", "unknown-key")


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        ({ALICE: "body: x\nvalus: 1\n"}, "unknown-key"),
        ({ALICE: "body: [\n"}, "broken-yaml"),
        ({ALICE: "body: x\nbody: y\n"}, "broken-yaml"),
        ({ALICE: "body: x\nsensitive: maybe\n"}, "wrong-value"),
        ({ALICE: "body: x\n", "user/example.com/alice.xml": "x"}, "duplicate-key"),
        ({ALICE: "body: x\naliases: [nobody]\n"}, "alias"),
        ({ALICE: "template: none.j2\n"}, "template"),
        ({ALICE: "template: t.j2\n", "templates/t.j2": "{{ x }}"}, "template"),
        ({ALICE: "values: {a: 1}\n"}, "no-document"),
        ({"user/alice.xml": "x"}, "path"),
        ({ALICE: "file: none.xml\n"}, "missing-file"),
        ({ALICE: "extends: none\nbody: x\n"}, "extends"),
        ({ALICE: "body: x\nvariants: [{when: {vendor: a}, body: y}, {when: {vendor: a}, body: z}]\n"}, "variants"),
        ({ALICE: b"\xff"}, "forbidden-file"),
    ],
)
def test_the_loader_s_problems_have_their_rules(files: dict[str, str | bytes], rule: str) -> None:
    problems = whole(files).problems
    assert problems and {problem.rule for problem in problems} == {rule}, problems


def test_a_nested_unknown_key_is_told_what_was_meant() -> None:
    files: dict[str, str | bytes] = {ALICE: "body: x\nvariants:\n  - when: {vendr: snom}\n    body: y\n"}
    problem = next(p for p in whole(files).problems if "vendr" in p.message)
    assert (problem.line, problem.column, problem.hint) == (3, 12, "did you mean 'vendor'?")
