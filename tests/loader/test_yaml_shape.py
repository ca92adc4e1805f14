"""What is read by its shape is what the reader makes of it, whatever the words are."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from gitops_profile.loader import UnreadableProfile, yaml_reader, yaml_shape
from gitops_profile.loader.yaml_data import read_yaml
from gitops_profile.loader.yaml_reader import Reader, YAMLProblem, events
from gitops_profile.loader.yaml_shape import MAX_LINE, NoShape, _shape_of, value_by_shape

PIECES = """
a b1 key 5060 0201 -7 1.5 1e3 0o7 0x1F true No null ~ .inf -.5 2024-01-01 12:30:45 00:04:f2 a@b.c http://x/y?z=1&b ä
Müller ٣ 日本 x_y a.b- 1_000 1.10 +49 - -- --- ... a#b #c << @ ` = ' " '' { } [ ] , ? : \\ \\x41 \\n \\u00e4 \\ue000
\\uE002 \\U0000E001 \\uf8ff &a *a !t !!int ! | > |- >2- |-2 |2 % 100% %YAML
""".split()
SPACES = ["\n", "\n  ", "\n    ", "\n- ", "\n  - ", ": ", ", ", " ", "  ", "\t", "\r\n", "\r", "\x85", "\u2028",
          "? ", "# ", "a: ", "key: ", '"k": ', "foo bar: ", "--- ", "---\n", "...\n", "%YAML 1.2\n", "a: b\n", "\x07",
          "\ue000", "\ufeff", "x" * (MAX_LINE - 20), "y" * 1030]  # fmt: skip
BEGINNINGS = ["", "a: ", "- ", "a:\n  b: ", "{a: ", "[", 'a: "', "a: '", "a: |\n  ", "a: >\n  ", "a: &x "]
ENDS = ["", "}", "]", '"', "'", "\n", "\nb: c\n"]
texts = st.builds(
    lambda begin, inside, end: begin + "".join(inside) + end,
    st.sampled_from(BEGINNINGS),
    st.lists(st.sampled_from(PIECES + SPACES) | st.text(max_size=3), max_size=12),
    st.sampled_from(ENDS),
)


words = st.from_regex(r"\A\w[\w./@+-]{0,8}(?: \w[\w./@+-]{0,3})?\Z") | st.sampled_from(
    "5060 0201 1.5 1.10 1e3 true No null TRUE 2024-01-01 0x1F 12 ٣".split()
)


def forget() -> None:
    _shape_of.cache_clear()
    yaml_shape._last.clear()


def by_shape(text: str) -> Any:
    """The value by a shape that has been met before; raises NoShape."""
    with contextlib.suppress(NoShape):
        value_by_shape(text)
    return value_by_shape(text)


def read(text: str) -> Any:
    return Reader(events(text), keep_places=False).read()[0]


def typed(value: Any) -> Any:
    """A value with its types and the order of its keys, which `==` does not look at."""
    if isinstance(value, dict):
        return [(typed(key), typed(inner)) for key, inner in value.items()]
    return [typed(inner) for inner in value] if isinstance(value, list) else (type(value), repr(value))


@given(texts)
@example('a: "\ue000"\n')
@example('# word\na: "\\ue000"\n')
@example('a: "\\uE001 b"\n')
@pytest.mark.parametrize("c_parser", [True, False])
def test_a_value_by_its_shape_is_what_the_reader_makes_of_the_text(c_parser: bool, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_reader, "_HAS_C_PARSER", c_parser and yaml_reader._HAS_C_PARSER)
        forget()
        try:
            value = by_shape(text.replace("\0", ""))
        except NoShape:
            return
        try:
            expected = read(text.replace("\0", ""))
        except (YAMLError, YAMLProblem) as error:
            pytest.fail(f"{value!r} is what nobody would read: {error!r}")
        assert typed(value) == typed(expected)


@given(texts, st.data())
def test_a_frequent_shape_finds_the_same_words(text: str, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_shape, "OFTEN", yaml_shape.SEEN)
        forget()
        try:
            by_shape(text.replace("\0", ""))
        except NoShape:
            return
        other = re.sub(r"\w+", lambda word: data.draw(st.just(word[0]) | words), text.replace("\0", ""))
        try:
            value = by_shape(other)
        except NoShape:
            return
        assert typed(value) == typed(read(other))
        forget()


MANIFEST = """\
# {} wrote this
template: {}
values:
  name: "{} {}"
  quoted: '{}''s {}'
  time: {{zone: {}, "offset": -{}}}
  uri: sip:{}@example.com
  accounts:
    - {{user: {}, port: {}}}
    - user: {}
      mac: 00:{}:f2   # {}
      list: [{}, {},   ~, x{}]
  text: |
    {} {}
     {}
  folded: >-
    {}

    {}
  nothing:
  none: []
"""


WORDS = MANIFEST.count("{}")


@given(st.lists(words, min_size=WORDS, max_size=WORDS))
def test_a_manifest_with_other_words_is_read_by_the_same_shape(chosen: list[str]) -> None:
    by_shape(MANIFEST.format(*(f"w{n}" for n in range(WORDS))))
    before = _shape_of.cache_info().misses
    text = MANIFEST.format(*chosen)
    assert typed(by_shape(text)) == typed(read(text))
    assert _shape_of.cache_info().misses == before, "it has a shape of its own"


def test_what_is_wrong_is_said_of_the_text_itself() -> None:
    for name in ("first", "x"):
        with pytest.raises(UnreadableProfile) as caught:
            read_yaml("x.yaml", f"a: {name} b: 1\n".encode())
        (problem,) = caught.value.problems
        assert (problem.line, problem.column) == (1, 3 + len(name) + 3)


def test_values_of_one_shape_share_nothing() -> None:
    first, second = (by_shape(f"a: {{b: [{word}]}}\nc: []\n") for word in ("x", "y"))
    first["a"]["b"].append("more")
    first["c"].append("more")
    assert second == {"a": {"b": ["y"]}, "c": []} == by_shape("a: {b: [y]}\nc: []\n")


@pytest.mark.parametrize(
    "text", ["a: &x b\nc: *x\n", "%YAML 1.2\n---\na: b\n", "a: b: c\n", "!t a: b\n", "a: x\n? a\n: b\n", "x" * 9000]
)
def test_what_needs_the_reader_has_no_shape(text: str) -> None:
    with pytest.raises(NoShape):
        by_shape(text)
