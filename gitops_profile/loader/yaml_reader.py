"""YAML 1.2 as data only, built from ruamel.yaml's parsing events.

What is written is what comes out. A plain scalar is a number only when the number is written back as the same text:
`5060` is one, and `0201`, `+4930123`, `1.10`, `0004e2334455` stay the text they are (a phone number, a version and a
MAC address would lose digits otherwise). There are no tags, no merge keys and no timestamps; anchors and aliases are
allowed, but what they expand to is bounded.

Building from the events of the C parser takes a quarter of the time of ruamel's safe loader and keeps lines and columns
(tests/bench/bench_load.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

MAX_DEPTH = 32
"""Levels of mappings and sequences; people write five or six, a depth bomb thousands."""
MAX_ALIASED_NODES = 20_000
"""Values that all aliases of a file may stand for, expanded ("billion laughs")."""

Place = tuple[int, int]
"""Line and column, counted from 1."""
DataPath = tuple[str | int, ...]
"""Keys and indexes that lead to a value."""

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_NUMBER_START = frozenset("-0123456789")
_LONGEST_NUMBER = 40
"""Characters; longer digits are text, so that no integer is costly to convert."""
# ruamel.yaml's C parser when it is installed (extra `oldlibyaml`), else the pure one.
_C_PARSER: Any = YAML(typ="safe").Parser
_HAS_C_PARSER = hasattr(_C_PARSER, "raw_parse")


class YAMLProblem(ValueError):
    """More than data, or not as data is written here; line and column are counted from 1."""

    def __init__(self, line: int, column: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.line, self.column, self.message, self.hint = line, column, message, hint


def events(text: str) -> Iterator[Any]:
    """The parsing events of a text; raises YAMLError."""
    if not _HAS_C_PARSER:
        yield from YAML(typ="safe", pure=True).parse(text)
        return
    parser = _C_PARSER(text)
    while parser.check_event():
        yield parser.get_event()


@dataclass(frozen=True, slots=True)
class _Anchor:
    value: Any
    nodes: int
    depth: int


class Reader:
    """Builds data from events, top down; recursion is bounded by MAX_DEPTH."""

    def __init__(self, events: Iterator[Any], keep_places: bool) -> None:
        self._events = events
        self._keep_places = keep_places
        self._places: dict[DataPath, Place] = {}
        self._anchors: dict[str, _Anchor | None] = {}
        self._aliased = 0

    def read(self) -> tuple[Any, dict[DataPath, Place]]:
        """The value of the one document, and the places in it; raises YAMLProblem and YAMLError."""
        data = None
        seen = False
        for event in self._events:
            if isinstance(event, (StreamStartEvent, StreamEndEvent)):
                continue
            if isinstance(event, DocumentStartEvent):
                if seen:
                    self._refuse(event, "holds more than one YAML document", "remove the second '---'")
                seen = True
                first = next(self._events)
                self._places[()] = (first.start_mark.line + 1, first.start_mark.column + 1)
                data = self._value(first, (), 1)
        return data, self._places

    def _value(self, event: Any, path: DataPath, depth: int) -> Any:
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event, depth)
        if event.tag is not None:
            self._refuse(event, f"YAML tag {event.tag}: a file is data only", "remove the tag, or quote the text")
        if kind is ScalarEvent:
            value = self._leaf(event)
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchor(value, 1, 0)
            return value
        if depth > MAX_DEPTH:
            self._refuse(event, f"is nested deeper than {MAX_DEPTH} levels")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if kind is MappingStartEvent:
            value = self._mapping(path, depth)
        elif kind is SequenceStartEvent:
            value = self._sequence(path, depth)
        else:  # pragma: no cover - the parser gives no other event here
            raise TypeError(f"unexpected YAML event {event!r}")
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(value, *_extent(value))
        return value

    def _leaf(self, event: Any) -> Any:
        return scalar(event.value) if event.implicit[0] else event.value

    def _mapping(self, path: DataPath, depth: int) -> dict[str | int, Any]:
        mapping: dict[str | int, Any] = {}
        for event in self._events:
            if type(event) is MappingEndEvent:
                break
            key = self._key(event)
            if key in mapping:
                self._refuse(event, f"the key {key!r} is there twice", "one of the two would be lost; remove it")
            if self._keep_places:
                self._places[(*path, key)] = (event.start_mark.line + 1, event.start_mark.column + 1)
            mapping[key] = self._value(next(self._events), (*path, key) if self._keep_places else path, depth + 1)
        return mapping

    def _key(self, event: Any) -> str | int:
        if type(event) is not ScalarEvent:
            self._refuse(event, "a key must be plain text")
        if event.tag is not None:
            self._refuse(event, f"YAML tag {event.tag}: a file is data only")
        if event.value == "<<" and event.implicit[0]:
            self._refuse(event, "merge keys ('<<') are not YAML 1.2", "put shared values into defaults.yaml")
        key = scalar(event.value) if event.implicit[0] else event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(key, 1, 0)
        if type(key) is str or type(key) is int:
            return key
        self._refuse(event, f"a key must be text or a whole number, not {event.value!r}", "quote it")

    def _sequence(self, path: DataPath, depth: int) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if type(event) is SequenceEndEvent:
                break
            item_path = path
            if self._keep_places:
                item_path = (*path, len(items))
                self._places[item_path] = (event.start_mark.line + 1, event.start_mark.column + 1)
            items.append(self._value(event, item_path, depth + 1))
        return items

    def _alias(self, event: Any, depth: int) -> Any:
        if event.anchor not in self._anchors:
            self._refuse(event, f"alias *{event.anchor} has no anchor &{event.anchor} before it")
        anchor = self._anchors[event.anchor]
        if anchor is None:
            self._refuse(event, f"alias *{event.anchor} contains itself")
        self._aliased += anchor.nodes
        if self._aliased > MAX_ALIASED_NODES:
            self._refuse(event, f"aliases stand for more than {MAX_ALIASED_NODES} values")
        if depth - 1 + anchor.depth > MAX_DEPTH:
            self._refuse(event, f"is nested deeper than {MAX_DEPTH} levels")
        return anchor.value

    def _refuse(self, event: Any, message: str, hint: str = "") -> NoReturn:
        raise YAMLProblem(event.start_mark.line + 1, event.start_mark.column + 1, message, hint)


def scalar(text: str) -> Any:
    """The value of a plain scalar (YAML 1.2 core schema, numbers only where they keep their digits)."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_START or len(text) > _LONGEST_NUMBER:
        return text
    for number in (int, float):
        try:
            value = number(text)
        except ValueError:
            continue
        if str(value) == text:
            return value
    return text


def _extent(value: Any) -> tuple[int, int]:
    """How many nodes `value` expands to, and how many levels of mappings and sequences it has."""
    if isinstance(value, dict):
        children = list(value.values())
    elif isinstance(value, list):
        children = value
    else:
        return 1, 0
    nodes, depth = 1, 0
    for child in children:
        child_nodes, child_depth = _extent(child)
        nodes += child_nodes
        depth = max(depth, child_depth)
    return nodes, depth + 1
