"""Where a value was written that a document cannot hold."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .yaml_data import YAMLData
from .yaml_reader import DataPath, Place


@dataclass(frozen=True, slots=True)
class Written:
    """One value, and its place."""

    name: str
    """Such as values.accounts.0.label."""
    file: str
    """Inside the profiles folder."""
    place: Place


Layer = tuple[str, YAMLData, DataPath]
"""A file, its data, and where in it the `values` are."""


def find_written(
    layers: Sequence[Layer], context: dict[str, Any], value: str, unfit: Callable[[str], bool]
) -> Written | None:
    """The place of `value` in the nearest of the layers (the nearest first) that has it.

    A template may have changed the value before it was refused; then it is the one unfit value of the context, if there
    is just one.
    """
    texts = [(path, found) for path, found in leaves(context, ()) if isinstance(found, str)]
    paths = [path for path, found in texts if found == value] or [path for path, found in texts if unfit(found)]
    if not paths or (len(paths) > 1 and dict(texts)[paths[0]] != value):
        return None
    for file, data, prefix in layers:
        path = (*prefix, *paths[0])
        if has(data.value, path):
            return Written(".".join(map(str, ("values", *paths[0]))), file, data.place(path))
    return None


def leaves(value: Any, path: DataPath) -> Iterator[tuple[DataPath, Any]]:
    """Every scalar, and every empty list and mapping, with its path."""
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def has(data: Any, path: DataPath) -> bool:
    """Whether data has something at `path`; a key at the top that says nothing is not there."""
    for number, key in enumerate(path):
        inside = key in data if isinstance(data, dict) else isinstance(data, list) and key in range(len(data))
        if not inside or (number == 0 and len(path) == 1 and data[key] is None):
            return False
        data = data[key]
    return True
