"""What is loaded to judge what is staged."""

import pytest

from gitops_profile.loader import files_to_load, owned_elsewhere

from .tree import entry, whole

ALICE, BOB = "user/example.com/alice.yaml", "user/example.com/bob.xml"
SHARED = ("defaults.yaml", "templates/t.j2", "files/f", "bases/b.yaml")
INDEX = [entry(path, "x") for path in (ALICE, BOB, *SHARED, "README")]


@pytest.mark.parametrize("shared", [*SHARED, "profiles.yaml"])
def test_everything_is_loaded_when_others_are_made_with_what_is_staged(shared: str) -> None:
    assert files_to_load(INDEX, {shared}) == INDEX


@pytest.mark.parametrize(
    ("staged", "left_out"),
    [({ALICE}, {BOB}), ({BOB}, {ALICE}), ({"README"}, {ALICE, BOB}), (set(), {ALICE, BOB})],
)
def test_only_staged_documents_are_loaded_with_what_they_may_be_made_of(staged: set[str], left_out: set[str]) -> None:
    assert {file.path for file in INDEX} - {file.path for file in files_to_load(INDEX, staged)} == left_out


def test_a_key_of_another_file_is_a_problem_also_as_an_alias() -> None:
    result = whole({ALICE: "body: x\naliases: [dora@example.com]\n"})
    others = ["user/example.com/hq/alice.xml", "user/example.com/dora.yaml", BOB, "user/bad.xml", "README"]
    found = owned_elsewhere(result.documents.values(), others)
    assert [(p.path, p.message, p.rule) for p in found] == [
        (ALICE, "user/example.com/alice is also made by user/example.com/hq/alice.xml", "duplicate-key"),
        (ALICE, "user/example.com/dora is also made by user/example.com/dora.yaml", "duplicate-key"),
    ]
