"""YAML by its shape: what was read once need not be parsed again to be read with other words in it.

Manifests are written alike, and differ in names, numbers and passwords. A text is cut into words and what is between
them. What is between is its shape, which is read once, by the reader that reads everything, with a character of no
meaning in the place of each word. From then on the words alone are cut out and put into their places: 7 µs in place of
50 for the manifest of tests/bench/bench_load.py.

It holds because a word of these characters means the same to YAML as any other of them: it is a part of a scalar or of
a comment, wherever it stands. Where that is not so (after an escape, `&`, `*`, `!`, `%`, `|` and `>`) a word belongs to
the shape, as keys do. A shape that is broken, has anchors, or has words in its keys is none, and so is a line so long
that a key might be too long for YAML: then the text itself is read, and what is wrong with it is said of it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from operator import itemgetter
from typing import Any, NamedTuple

from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import DocumentStartEvent

from .yaml_reader import Reader, YAMLProblem, events, scalar

MAX_TEXT = 8192
"""Characters; a longer file is not one of many."""
MAX_LINE = 1000
"""Characters; YAML looks for the colon behind a key for 1024."""
MAX_SHAPES = 512
"""That are kept, the last in use: 100 kB each at the most."""
SEEN = 2
"""Texts of one shape after which it is worth while to make something of it."""
OFTEN = 16
"""Texts of one shape after which it becomes an expression: 0.7 ms for cutting a text in 1.8 µs in place of 9."""
MAX_GROUPS = 300
"""Words in an expression."""

_FIRST_HOLE = 0xE000
"""A private character stands for each word, in their order; there are more of them than words in MAX_TEXT."""
_HOLE = re.compile("[\ue000-\uf8ff]")
_ESCAPED_HOLE = re.compile(r"\\(?:u[eEfF]|U)")
_REST = r"[\w./@+-]*+(?: \w[\w./@+-]*+)*+"
_WORD = re.compile(
    rf"(\w(?<![\w\\&*!%|>]\w)"  # not in the middle of one, and none that may say more than its letters
    rf"{_REST})"
    r"(?![\"'][ \t]*:|[ \t]*:(?:[\s,\[\]{}]|\Z))"  # a key
)
_NOTHING = re.compile(r"(?!)")
_NOT_JUST_TEXT = frozenset("0123456789tTfFnN")
"""How a plain scalar of one word begins that is no text, or may be none."""

Values = Callable[[Sequence[Any]], Any]
"""Takes some of a row."""


class NoShape(Exception):
    """The text must be read as it is."""


def value_by_shape(text: str) -> Any:
    """What the reader makes of `text`, which has no NUL; raises NoShape when it must be asked."""
    if len(text) > MAX_LINE and (len(text) > MAX_TEXT or max(map(len, text.split("\n"))) > MAX_LINE):
        raise NoShape
    for last in _last:
        found = last.match(text)
        if found is not None:
            return last.value(list(found.groups()))
    if not (text.isascii() or _HOLE.search(text) is None):
        raise NoShape
    pieces = _WORD.split(text)
    shape = _shape_of("\0".join(pieces[::2]))
    shape.meet(pieces[::2])
    if shape.is_frequent:
        _last[:] = [shape]
    return shape.value(pieces[1::2])


_last: list["_Shape"] = []
"""The frequent shape that was met last: most texts are written as the one before."""


@lru_cache(maxsize=MAX_SHAPES)
def _shape_of(between: str) -> "_Shape":
    """The shape of the texts that have this between their words, which NULs stand for."""
    return _Shape()


class _Shape:
    """What is known of the texts with the same between their words.

    Nothing before the second: files of which no two are alike took four times as long as without this, and a third more
    since (tests/bench/bench_load.py).
    """

    def __init__(self) -> None:
        self._met = 0
        self._frame: _Frame | None = None
        self.match: Callable[[str], re.Match[str] | None] = _NOTHING.fullmatch
        """Its words, as groups, in a text that has this shape; of a frequent one only."""

    @property
    def is_frequent(self) -> bool:
        """Whether `match` finds its texts."""
        return self._met >= OFTEN

    def meet(self, pieces: list[str]) -> None:
        """One more text has these between its words."""
        self._met += 1
        if self._met == SEEN:
            self._frame = _frame_of(pieces)
        if self._met == OFTEN and self._frame is not None and len(pieces) <= MAX_GROUPS:
            self.match = re.compile(rf"(\w{_REST})".join(map(re.escape, pieces))).fullmatch

    def value(self, words: list[str]) -> Any:
        """The value with these words; raises NoShape when that is not known."""
        if self._frame is None:
            raise NoShape
        return self._frame.filled(words)


def _frame_of(pieces: list[str]) -> "_Frame | None":
    """How the texts with these between their words are made; None when it depends on the words."""
    if any(_ESCAPED_HOLE.search(piece) is not None for piece in pieces):
        return None
    holes = [*map(chr, range(_FIRST_HOLE, _FIRST_HOLE + len(pieces) - 1)), ""]
    text = "".join(part for pair in zip(pieces, holes, strict=True) for part in pair)
    try:
        value = _FrameReader(_without_anchors(events(text)), keep_places=False).read()[0]
    except (NoShape, YAMLProblem, YAMLError):
        return None
    return _Frame(len(pieces) - 1, value)


class _Leaf(NamedTuple):
    """A scalar with words in it."""

    text: str
    plain: bool


class _FrameReader(Reader):
    """Keeps the scalars that have words in them."""

    def _leaf(self, event: Any) -> Any:
        return super()._leaf(event) if _HOLE.search(event.value) is None else _Leaf(event.value, event.implicit[0])

    def _key(self, event: Any) -> str | int:
        key = super()._key(event)
        if isinstance(key, str) and _HOLE.search(key) is not None:
            raise NoShape  # whether it is there twice is not known
        return key


def _without_anchors(found: Iterator[Any]) -> Iterator[Any]:
    for event in found:
        if getattr(event, "anchor", None) is not None:
            raise NoShape  # an alias is the very value that it stands for
        if type(event) is DocumentStartEvent and (event.version or event.tags):
            raise NoShape
        yield event


class _Frame:
    """How the value is made: of a row with the words, then the constants, then what each step adds to it."""

    def __init__(self, words: int, value: Any) -> None:
        self._constants = [leaf for leaf in _leaves(value) if type(leaf) is not _Leaf]
        self._constant_at = count(words)
        self._made_at = count(words + len(self._constants))
        self._plain: list[int] = []
        """Words that are a plain scalar: what they mean depends on them."""
        self._steps: list[tuple[Callable[[Any], Any], Values]] = []
        self._root = self._place(value)

    def filled(self, words: list[str]) -> Any:
        """The value with these words."""
        row: list[Any] = words + self._constants
        for index in self._plain:
            if row[index][0] in _NOT_JUST_TEXT:
                row[index] = scalar(row[index])
        for make, values in self._steps:
            row.append(make(values(row)))
        return row[self._root]

    def _place(self, value: Any) -> int:
        """Where in the row a value is; it comes after all that it is made of."""
        if type(value) is _Leaf:
            holes = [ord(hole) - _FIRST_HOLE for hole in _HOLE.findall(value.text)]
            if len(value.text) > 1:
                written = _HOLE.sub("%s", value.text.replace("%", "%%"))
                make = _plain_text(written) if value.plain else written.__mod__
                return self._step(make, itemgetter(*holes))  # % takes one text as it takes a tuple of them
            self._plain += holes if value.plain else []
            return holes[0]
        if type(value) is dict:
            return self._step(_mapping(tuple(value)), _taking([self._place(inner) for inner in value.values()]))
        if type(value) is list:
            return self._step(list, _taking([self._place(inner) for inner in value]))
        return next(self._constant_at)

    def _step(self, make: Callable[[Any], Any], values: Values) -> int:
        self._steps.append((make, values))
        return next(self._made_at)


def _leaves(value: Any) -> Iterator[Any]:
    if type(value) is dict or type(value) is list:
        for inner in value.values() if type(value) is dict else value:
            yield from _leaves(inner)
    else:
        yield value


def _taking(places: list[int]) -> Values:
    """Takes what is at these places, one and none of them as a sequence too."""
    if len(places) > 1:
        return itemgetter(*places)
    return itemgetter(slice(places[0], places[0] + 1)) if places else itemgetter(slice(0, 0))


def _mapping(keys: tuple[str | int, ...]) -> Callable[[Sequence[Any]], Any]:
    return lambda values: dict(zip(keys, values, strict=True))


def _plain_text(written: str) -> Callable[[Any], Any]:
    return lambda words: scalar(written % words)
