"""`aliases`: further names under which one profile is found."""

import pytest

from gitops_profile.loader import Loader
from gitops_profile.presentity import ProfileKey

from .tree import change, whole

ALICE = "user/example.com/alice.yaml"
PHONE = "device/example.com/lobby.yaml"


@pytest.mark.parametrize(
    ("path", "alias", "key"),
    [
        (ALICE, "sip:reception@example.com", "user/example.com/reception"),
        (ALICE, "SIPS:Reception@EXAMPLE.net", "user/example.net/Reception"),
        (ALICE, "reception@example.com", "user/example.com/reception"),
        (ALICE, "sip:a%40b@example.com", "user/example.com/a@b"),
        (ALICE, "user/example.com/reception", "user/example.com/reception"),
        (PHONE, "00-15-65-A1-B2-C3", "device/example.com/001565a1b2c3"),
        (PHONE, "MAC:001565A1B2C3@example.net", "device/example.net/001565a1b2c3"),
        (PHONE, "123456789012", "device/example.com/123456789012"),
        (PHONE, "urn:uuid:00000000-0000-1000-8000-001565A1B2C3", "device/example.com/001565a1b2c3"),
        (PHONE, "sip:001565a1b2c3@example.com", "device/example.com/001565a1b2c3"),
        (PHONE, "front-desk", "device/example.com/front-desk"),
        ("local-network/example.com.yaml", "branch.example.com", "local-network/branch.example.com"),
    ],
)
def test_an_alias_is_a_key_of_the_profile_type_of_its_file(path: str, alias: str, key: str) -> None:
    result = whole({path: f"body: x\naliases:\n  - {alias}\n"})
    assert [str(problem) for problem in result.problems] == []
    (document,) = result.documents.values()
    assert document.aliases == (ProfileKey.parse(key),)


@pytest.mark.parametrize(
    ("path", "alias", "words"),
    [
        (ALICE, "nobody", "no address such as sip:user@example.com"),
        (ALICE, "sip:@example.com", "empty"),
        (ALICE, "sip:x@example.com;transport=tcp", "not a domain"),
        (ALICE, "x%4@example.com", "'%' without"),
        (ALICE, "device/example.com/lobby", "is a device profile, and this one is a user profile"),
        (PHONE, "x@exa mple", "not a domain"),
        ("local-network/example.com.yaml", "x@example.com", "not a domain"),
    ],
)
def test_what_is_no_alias_is_a_problem_with_its_place(path: str, alias: str, words: str) -> None:
    (problem,) = whole({path: f"body: x\naliases:\n  - {alias}\n"}).problems
    assert str(problem).startswith(f"{path}:3:5: alias: ") and words in str(problem), problem


def test_every_wrong_alias_is_reported() -> None:
    problems = whole({ALICE: "body: x\naliases: [a, b, 'c@d']\n"}).problems
    assert [(problem.line, problem.column) for problem in problems] == [(2, 11), (2, 14)]


def test_one_name_in_two_spellings_is_one_alias() -> None:
    aliases = "['00:15:65:a1:b2:c3', 001565A1B2C3, lobby]"
    (document,) = whole({PHONE: f"body: x\naliases: {aliases}\n"}).documents.values()
    assert document.aliases == (ProfileKey.device("example.com", "001565a1b2c3"),)


@pytest.mark.parametrize(
    ("other", "content", "expected"),
    [
        (
            "user/example.com/bob.yaml",
            "body: y\naliases:\n  - r@example.com\n",
            "user/example.com/bob.yaml:3:5: alias: user/example.com/r is also an alias in user/example.com/alice.yaml",
        ),
        (
            "user/example.com/r.xml",
            "<r/>",
            "user/example.com/r.xml: user/example.com/r is also an alias in user/example.com/alice.yaml",
        ),
        (
            "user/example.com/a.yaml",  # read before alice.yaml
            "body: y\naliases: ['sip:alice@example.com']\n",
            "user/example.com/alice.yaml: user/example.com/alice is also an alias in user/example.com/a.yaml",
        ),
        (
            "user/example.com/0/r.xml",
            "<r/>",
            "user/example.com/alice.yaml:2:11: alias: user/example.com/r is also made by user/example.com/0/r.xml",
        ),
    ],
)
def test_two_files_with_one_name_are_a_problem_that_names_both(other: str, content: str, expected: str) -> None:
    before = {ALICE: "body: x\naliases: [r@example.com]\n"}
    loader = Loader()
    whole(before, loader)
    after = {**before, other: content}
    assert [str(problem).partition(" (")[0] for problem in whole(after).problems] == [expected]
    # After a change the file that was there before is not read again: the new one is told.
    (problem,) = change(loader, before, after).problems
    assert problem.path == other and ALICE in problem.message


def test_an_alias_moves_between_files_and_becomes_a_profile_of_its_own() -> None:
    loader = Loader()
    bob = "user/example.com/bob.yaml"
    one = {ALICE: "body: x\naliases: [r@example.com]\n", bob: "body: y\n"}
    two = {ALICE: "body: x\n", bob: "body: y\naliases: [r@example.com]\n"}
    three = {ALICE: "body: x\n", bob: "body: y\n", "user/example.com/r.xml": "<r/>"}
    whole(one, loader)
    for before, after in ((one, two), (two, three), (three, one)):
        result = change(loader, before, after)
        assert result.problems == ()
        assert {str(key) for key in result.removed} == ({"user/example.com/r"} if after is one else set())


def test_a_name_that_was_freed_can_be_taken_by_a_file_that_is_not_changed_otherwise() -> None:
    loader = Loader()
    before = {ALICE: "body: x\naliases: [r@example.com]\n"}
    whole(before, loader)
    gone = {"user/example.com/bob.xml": "<bob/>"}
    assert change(loader, before, gone).problems == ()
    assert change(loader, gone, {**gone, "user/example.com/r.xml": "<r/>"}).problems == ()
