"""YAML as plain data: no constructed objects, no duplicate keys, bounded depth and size; every key knows its line."""

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from .problem import Problem, UnreadableProfile

MAX_DEPTH = 32
MAX_VALUES = 20_000
"""Values in one file after aliases are followed: a "billion laughs" file ends here."""

_CORE = "tag:yaml.org,2002:"
# A number with a leading zero is an extension, a PIN or a MAC: it stays text, whatever YAML 1.2 thinks of it.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
Path = tuple[str | int, ...]


@dataclass(slots=True)
class YAMLData:
    """One document; `places` holds line and column of every value, by its path."""

    value: Any
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of the value at `path`, or of the nearest one above it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (0, 0))


def read_yaml(path: str, data: bytes) -> YAMLData:
    """The one document of a file; an empty file is None. Raises UnreadableProfile."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableProfile(Problem(path, 0, 0, "not YAML: the file is not UTF-8 text", "is it binary?")) from error
    if "\0" in text:
        raise UnreadableProfile(Problem(path, 0, 0, "not YAML: the file is binary"))
    try:
        node = YAML(typ="safe").compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise UnreadableProfile(Problem(path, line, column, f"broken YAML: {what}")) from error
    except (RecursionError, ValueError) as error:
        raise UnreadableProfile(Problem(path, 0, 0, f"broken YAML: {error}")) from error
    reader = _Reader(path)
    result = YAMLData(None, reader.places)
    if node is not None:
        result.value = reader.convert(node, (), 0)
    return result


class _Reader:
    """Turns nodes into data, once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._count = 0
        self.places: dict[Path, tuple[int, int]] = {}

    def convert(self, node: Any, at: Path, depth: int) -> Any:
        self._count += 1
        if depth > MAX_DEPTH:
            raise self._problem(node, f"nested deeper than {MAX_DEPTH} levels")
        if self._count > MAX_VALUES:
            raise self._problem(node, f"more than {MAX_VALUES} values (aliases are counted each time)")
        self.places.setdefault(at, (node.start_mark.line + 1, node.start_mark.column + 1))
        tag = str(node.tag)
        if isinstance(node, MappingNode) and tag == _CORE + "map":
            return self._mapping(node, at, depth)
        if isinstance(node, SequenceNode) and tag == _CORE + "seq":
            return [self.convert(item, (*at, number), depth + 1) for number, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node, tag)
        raise self._problem(node, f"the tag {tag} is not allowed: a profile is data only")

    def _mapping(self, node: Any, at: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self._problem(key_node, "a key must be a plain text")
            key = str(key_node.value)
            if key == "<<":
                raise self._problem(key_node, "merge keys are not supported: write the values, or use defaults.yaml")
            if key in result:
                raise self._problem(key_node, f"the key {key!r} is there twice")
            self.places[(*at, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            result[key] = self.convert(value_node, (*at, key), depth + 1)
        return result

    def _scalar(self, node: Any, tag: str) -> Any:
        text = str(node.value)
        match tag.removeprefix(_CORE):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" if _INTEGER.fullmatch(text) and len(text) < 40:
                return int(text, 0)
            case "float":
                try:
                    return float(text)
                except ValueError:
                    return text
            case "str" | "int" | "timestamp":
                return text
        raise self._problem(node, f"the tag {tag} is not allowed: a profile is data only")

    def _problem(self, node: Any, message: str) -> UnreadableProfile:
        mark = node.start_mark
        return UnreadableProfile(Problem(self._path, mark.line + 1, mark.column + 1, message))
