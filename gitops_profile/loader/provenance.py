"""Where every final value of a manifest comes from: the file, and the line in it.

It is found on demand by reading the few files concerned once more, with the places of their values; a load keeps none.
The values are merged as for a document, and a final value is that of the nearest layer that has its path.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .bases import Bases, ReadBase, base_path, read_base
from .layout import DEFAULTS, folders_above
from .manifest import merge, read_defaults, read_manifest
from .yaml_data import DataPath, Place, nearest, read_yaml

Read = Callable[[str], bytes | None]
"""Content of a file in the profiles folder, None when there is none such."""
_SOURCES = ("template", "body", "file")
_INHERITED = ("values", "content_type", "sensitive", "effective_by", "notify")
_OWN = ("aliases", "variants")


@dataclass(frozen=True, slots=True)
class Origin:
    """One final value, and where it was written."""

    path: DataPath
    """Keys and indexes, such as ("values", "time", "zone")."""
    value: Any
    """A scalar, or an empty list or mapping."""
    file: str
    """Inside the profiles folder."""
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a manifest is made of."""

    layers: tuple[str, ...]
    """The files that were merged, the weakest first and the manifest last."""
    origins: tuple[Origin, ...]
    """Every final value."""


@dataclass(frozen=True, slots=True)
class _Layer:
    file: str
    data: dict[str, Any]
    places: dict[DataPath, Place]


def provenance(path: str, read: Read) -> Provenance:
    """The final values of the manifest at `path`; raises UnreadableProfile, and whatever `read` raises.

    The variants are among them as they are written: what a phone of a kind gets is its variant over the rest.
    """
    layers = _layers(path, read)
    final: dict[str, Any] = {}
    for layer in layers:
        own = _INHERITED if layer is not layers[-1] else (*_INHERITED, *_OWN)
        final = merge(final, {name: layer.data[name] for name in own if layer.data.get(name) is not None})
        source = {name: layer.data[name] for name in _SOURCES if layer.data.get(name) is not None}
        if source:
            final = {name: value for name, value in final.items() if name not in _SOURCES} | source
    origins = tuple(_origin(layers, leaf, value) for leaf, value in _leaves(final, ()))
    return Provenance(tuple(layer.file for layer in layers), origins)


def _layers(path: str, read: Read) -> list[_Layer]:
    layers = []
    for folder in folders_above(path):
        file = f"{folder}/{DEFAULTS}" if folder else DEFAULTS
        content = read(file)
        if content is not None:
            read_defaults(file, content)
            layers.append(_layer(file, content))
    content = read(path) or b""
    manifest = read_manifest(path, content)
    names = manifest.manifest.extends
    contents = _read_bases(names, read)
    bases = Bases({name: _parsed(name, found) for name, found in contents.items()})
    bases.check(path, names, manifest.data)
    layers += [_layer(base_path(name), contents[name]) for name in bases.line(names) or ()]
    return [*layers, _layer(path, content)]


def _read_bases(names: tuple[str, ...], read: Read) -> dict[str, bytes]:
    """The bases that a manifest extends, and those that they extend."""
    found: dict[str, bytes] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        content = read(base_path(name)) if name not in found else None
        if content is not None:
            found[name] = content
            waiting += _parsed(name, content).base.extends
    return found


def _parsed(name: str, content: bytes) -> ReadBase:
    return read_base(base_path(name), content)


def _layer(file: str, content: bytes) -> _Layer:
    data = read_yaml(file, content)
    return _Layer(file, data.value or {}, data.places())


def _leaves(value: Any, path: DataPath) -> Iterator[tuple[DataPath, Any]]:
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*path, key))
    else:
        yield path, value


def _origin(layers: list[_Layer], path: DataPath, value: Any) -> Origin:
    layer = next(layer for layer in reversed(layers) if _has(layer.data, path))
    return Origin(path, value, layer.file, *nearest(layer.places, path))


def _has(data: Any, path: DataPath) -> bool:
    for key in path:
        inside = key in data if isinstance(data, dict) else isinstance(data, list) and key in range(len(data))
        if not inside or (len(path) == 1 and data[key] is None):
            return False
        data = data[key]
    return True
