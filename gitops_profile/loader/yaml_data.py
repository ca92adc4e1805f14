"""YAML 1.2 as data only: what is written is what comes out (yaml_reader.py says what that means)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ruamel.yaml.error import YAMLError

from .problem import Problem, UnreadableProfile
from .yaml_reader import DataPath, Place, Reader, YAMLProblem, events
from .yaml_shape import NoShape, value_by_shape


@dataclass(frozen=True, slots=True)
class YAMLData:
    """The one document of a YAML file."""

    value: Any
    """dict, list, str, int, float, bool or None; None for an empty file."""
    text: str
    """The file itself: where a value stands is found by reading it again, which only a problem asks for."""

    def place(self, path: DataPath) -> Place:
        """Where the value at `path` stands (a mapping's at its key), or else the nearest known value around it."""
        return nearest(self.places(), path)

    def places(self) -> Mapping[DataPath, Place]:
        """Where every value stands, as above; what an alias stands for has no place of its own."""
        return _places(self.text)


@lru_cache(maxsize=4)
def _places(text: str) -> Mapping[DataPath, Place]:
    """Kept of the last files: who asks for one place asks for more, and each would read the whole file again."""
    return Reader(events(text), keep_places=True).read()[1]


def nearest(places: Mapping[DataPath, Place], path: DataPath) -> Place:
    """The place of `path`, or else of the nearest known value around it."""
    while path and path not in places:
        path = path[:-1]
    return places.get(path, (1, 1))


def read_yaml(path: str, content: bytes) -> YAMLData:
    """Read the one document in the file at `path`; raises UnreadableProfile with line and column of what is wrong."""
    try:
        text = content.decode().removeprefix("\ufeff")  # the codec utf-8-sig is written in Python
    except UnicodeDecodeError as error:
        raise UnreadableProfile(Problem(path, 0, 0, "is not UTF-8 text", "a binary file?", "forbidden-file")) from error
    if "\0" in text:
        raise UnreadableProfile(Problem(path, 0, 0, "contains a NUL character", "a binary file?", "forbidden-file"))
    try:
        return YAMLData(_value(text), text)
    except YAMLProblem as error:
        raise UnreadableProfile(
            Problem(path, error.line, error.column, error.message, error.hint, "broken-yaml")
        ) from error
    except YAMLError as error:
        raise UnreadableProfile(_translated(path, error, text)) from error


def _value(text: str) -> Any:
    try:
        return value_by_shape(text)
    except NoShape:
        return Reader(events(text), keep_places=False).read()[0]


def _translated(path: str, error: YAMLError, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    began = getattr(error, "context_mark", None)
    if mark is not None and began is not None and "end of stream" in (getattr(error, "problem", None) or ""):
        mark = began  # of a quote or bracket that is never closed, its beginning is what the author looks for
    if mark is not None:
        parts = (getattr(error, "problem", None), getattr(error, "context", None))
        message = "broken YAML: " + ", ".join(part for part in parts if part)
        return Problem(path, mark.line + 1, mark.column + 1, message, _tab_hint(text, mark.line), "broken-yaml")
    # A ReaderError: the C parser counts bytes, the pure one characters; the line is right for both in ASCII.
    line = text.encode().count(b"\n", 0, getattr(error, "position", 0)) + 1
    return Problem(path, line, 0, f"broken YAML: {getattr(error, 'reason', error)}", rule="broken-yaml")


def _tab_hint(text: str, line: int) -> str:
    lines = text.splitlines()
    if line < len(lines) and "\t" in lines[line][: len(lines[line]) - len(lines[line].lstrip())]:
        return "YAML is indented with spaces, not with tabs"
    return ""
