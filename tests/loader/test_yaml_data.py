"""YAML as data: what is written is what comes out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.loader import UnreadableProfile
from gitops_profile.loader.yaml_data import read_yaml
from gitops_profile.loader.yaml_reader import MAX_DEPTH


def value(text: str) -> Any:
    return read_yaml("x.yaml", text.encode()).value


@pytest.mark.parametrize("text", ["0201", "+4930123", "1.10", "0004e2334455", "0x10", "0o17", "1e5", ".inf", "-0",
                                  "yes", "off", "2024-01-01", "1:20", "1_000", "9" * 5000])  # fmt: skip
def test_text_that_a_number_would_not_give_back_stays_text(text: str) -> None:
    assert value(f"a: {text}") == {"a": text}


def test_numbers_and_constants() -> None:
    assert value("[5060, -7, 1.5, true, FALSE, null, ~, , '5060', \"true\"]".replace(", ,", ",")) == [
        5060, -7, 1.5, True, False, None, None, "5060", "true",
    ]  # fmt: skip
    assert value("") is None and value("# only a comment\n") is None


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\na: 2\n", 2, 1, "twice"),
        ("a:\n  1: x\n  1: y\n", 3, 3, "twice"),
        ("a: !!int 3\n", 1, 4, "data only"),
        ("!x a: 3\n", 1, 1, "data only"),
        ("<<: {a: 1}\n", 1, 1, "merge keys"),
        ("true: 1\n", 1, 1, "quote it"),
        ("[a]: 1\n", 1, 1, "plain text"),
        ("a: *b\n", 1, 4, "no anchor"),
        ("a: &a [*a]\n", 1, 8, "contains itself"),
        ("a: 1\n---\nb: 2\n", 2, 1, "more than one"),
        ("a:\n\tb: 1\n", 2, 1, "tabs"),
        ("a: 'x\n", 1, 4, "broken YAML"),
        ("a: 1\nb: \x01\n", 2, 0, "broken YAML"),
    ],
)
def test_what_is_refused_and_where(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(UnreadableProfile) as caught:
        value(text)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line, problem.column) == ("x.yaml", line, column) and words in str(problem)


def test_aliases_share_a_value_within_bounds() -> None:
    assert value("a: &x {k: 1}\nb: *x\n") == {"a": {"k": 1}, "b": {"k": 1}}
    wide = "a: &a [" + ",".join("x" * 1 for _ in range(200)) + "]\n" + "b: [" + ",".join(["*a"] * 101) + "]\n"
    with pytest.raises(UnreadableProfile, match="aliases stand for"):
        value(wide)


def test_depth_is_bounded_also_through_aliases() -> None:
    assert value("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    half = MAX_DEPTH // 2 + 2
    with pytest.raises(UnreadableProfile, match="nested deeper"):
        value("a: &a " + "[" * half + "]" * half + "\nb: " + "[" * half + "*a" + "]" * half)
    with pytest.raises(UnreadableProfile, match="nested deeper"):
        value("[" * 500_000)


def test_places_are_those_of_the_file() -> None:
    data = read_yaml("x.yaml", b"a: 1\nb:\n  c: [x,\n      y]\n")
    assert [data.place(path) for path in ((), ("a",), ("b", "c"), ("b", "c", 1), ("b", "nothing"))] == [
        (1, 1), (1, 1), (3, 3), (4, 7), (2, 1),
    ]  # fmt: skip


scalars = st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(st.characters(codec="ascii"), max_size=8)
trees = st.recursive(
    scalars, lambda t: st.lists(t, max_size=4) | st.dictionaries(st.text("abc<", max_size=3), t, max_size=4)
)


@given(trees)
def test_json_is_read_as_what_it_says(tree: Any) -> None:
    assert value(json.dumps(tree)) == tree


@given(st.binary(max_size=60) | st.text(alphabet="a:-[]{}&*!'\"\n #|>\t", max_size=40).map(str.encode))
def test_any_bytes_are_data_or_a_problem(content: bytes) -> None:
    try:
        read_yaml("x.yaml", content)
    except UnreadableProfile as error:
        assert all(problem.path == "x.yaml" and problem.message for problem in error.problems)
