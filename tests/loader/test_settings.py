"""profiles.yaml: file names and decoys that the server acts on."""

import pytest

from gitops_profile.loader import Loader
from gitops_profile.presentity import FileRule, RepositoryRules

from .tree import change, whole

PHONE = {"device/example.com/001565aabbcc.cfg": "a=1\n"}
RULES = """\
files:
  - {name: "handset-{mac}.ini", profile: "{mac}"}
  - {name: "{model}.img", profile: ["{model}", all-models]}
decoys: ["00:15:65:00:00:01", 0004F2-000001, "0004f2000001", 001565000001]
"""


def test_file_names_and_decoys_are_read_in_one_form() -> None:
    text = RULES.replace("0004F2-000001, ", "")
    rules = whole({**PHONE, "profiles.yaml": text}).settings.rules
    files = (FileRule("handset-{mac}.ini", ("{mac}",)), FileRule("{model}.img", ("{model}", "all-models")))
    assert rules == RepositoryRules(files, ("0004f2000001", "001565000001"))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (RULES, 4, "'0004F2-000001' is no MAC"),
        ("files:\n  - {name: 'a-{serial}.cfg', profile: x}\n", 2, "{serial} is unknown"),
        ("files: [{name: a.cfg, profile: '{mac}'}]\n", 1, "nothing in 'a.cfg'"),
        ("files: [{name: folder/a.cfg, profile: a}]\n", 1, "is no file name"),
        ("files: [{name: a.cfg, profile: []}]\n", 1, "must stand for a profile"),
        ("files: [{name: a.cfg, profiles: x}]\n", 1, "did you mean 'profile'?"),
    ],
)
def test_what_cannot_be_meant_is_a_problem_with_its_place(text: str, line: int, words: str) -> None:
    problems = whole({**PHONE, "profiles.yaml": text}).problems
    assert {problem.path for problem in problems} == {"profiles.yaml"} and problems[0].line <= line
    assert any(words in f"{problem.message} {problem.hint}" for problem in problems)


@pytest.mark.parametrize(
    "path",
    ["device/example.com/hq/00-15-65-AA-BB-CC.yaml", "device/example.com/001565aabbcc.boot.yaml",
     "device/example.com/lobby.yaml"],
)  # fmt: skip
def test_a_phone_that_is_a_decoy_as_well_is_a_problem_whichever_came_first(path: str) -> None:
    decoy: dict[str, str | bytes] = {"profiles.yaml": "decoys: [001565aabbcc]\n"}
    phone: dict[str, str | bytes] = {path: "body: x\n"}
    if "lobby" in path:
        phone[path] = "body: x\naliases: [001565AABBCC]\n"
    for before in (decoy, phone):
        loader = Loader()
        assert whole(before, loader).problems == ()
        (problem,) = change(loader, before, {**decoy, **phone}).problems
        assert problem.path == path and "001565aabbcc is a decoy" in problem.message and problem.rule == "decoy"
