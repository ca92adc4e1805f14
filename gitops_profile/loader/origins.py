"""Where every final value of a manifest comes from: the file, and the line in it.

It is found on demand by reading the few files concerned once more, with the places of their values; a load keeps none.
The values are merged as for a document, and a final value is that of the nearest layer that has its path.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gitops_profile.presentity import Variant

from .bases import Bases, ReadBase, base_path, read_base
from .layout import DEFAULTS, SETTINGS, folders_above
from .manifest import merge, read_defaults, read_manifest
from .settings import read_settings
from .written import has, leaves
from .yaml_data import nearest, read_yaml
from .yaml_reader import DataPath, Place

Read = Callable[[str], bytes | None]
"""Content of a file in the profiles folder, None when there is none such."""
Device = tuple[str | None, str | None, str | None]
"""Vendor, model and version that a phone says."""
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
    overrode: tuple["Origin", ...] = ()
    """What weaker layers say in its place, the strongest first; a list is replaced as a whole."""


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
    places: Mapping[DataPath, Place]
    content: bytes


def provenance(path: str, read: Read, device: Device | None = None) -> Provenance:
    """The final values of the manifest at `path`; raises UnreadableProfile, and whatever `read` raises.

    Without a device the variants are among them as they are written; with one, the variant that suits it, if there is
    one, is the strongest layer, as it is for the phone.
    """
    layers = _layers(path, read)
    manifest = layers[-1]
    if device is not None:
        layers += _variant(path, manifest, device)
    final: dict[str, Any] = {}
    for layer in layers:
        own = _INHERITED if layer is not manifest else (*_INHERITED, *_OWN)
        final = merge(final, {name: layer.data[name] for name in own if layer.data.get(name) is not None})
        source = {name: layer.data[name] for name in _SOURCES if layer.data.get(name) is not None}
        if source:
            final = {name: value for name, value in final.items() if name not in _SOURCES} | source
    if device is not None:
        final.pop("variants", None)
    origins = tuple(_origin(layers, leaf, value) for leaf, value in leaves(final, ()))
    return Provenance(tuple(dict.fromkeys(layer.file for layer in layers)), origins)


def _variant(path: str, manifest: _Layer, device: Device) -> list[_Layer]:
    """The layer of the variant for such a phone."""
    rules = read_manifest(path, manifest.content).manifest.variants
    for number, rule in enumerate(rules):
        when = rule.when
        if Variant(when.vendor, when.model, when.version, "", b"").suits(*device):
            start: DataPath = ("variants", number)
            places = {place[2:]: at for place, at in manifest.places.items() if place[:2] == start}
            data = {name: value for name, value in manifest.data["variants"][number].items() if name != "when"}
            return [_Layer(manifest.file, data, places, manifest.content)]
    return []


def _layers(path: str, read: Read) -> list[_Layer]:
    layers = []
    content = read(SETTINGS)
    if content is not None and read_settings(SETTINGS, content).notify is not None:
        layer = _layer(SETTINGS, content)
        layers.append(replace(layer, data={"notify": layer.data["notify"]}))
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
    value = dict(data.value or {})
    notify = value.get("notify")
    if isinstance(notify, dict):  # inherited key by key: one that says nothing is not there
        value["notify"] = {name: said for name, said in notify.items() if said is not None}
    return _Layer(file, value, data.places(), content)


def _origin(layers: list[_Layer], path: DataPath, value: Any) -> Origin:
    number = max(number for number, layer in enumerate(layers) if has(layer.data, path))
    found = layers[number]
    below = (_replaced(layer, path) for layer in reversed(layers[:number]))
    overrode = tuple(origin for origin in below if origin is not None)
    return Origin(path, value, found.file, *nearest(found.places, path), overrode)


def _replaced(layer: _Layer, path: DataPath) -> Origin | None:
    """What a weaker layer has in the place of `path`: the same value, or one that stands where its parents are."""
    if path[0] in _SOURCES:
        path = next(((name,) for name in _SOURCES if layer.data.get(name) is not None), path)
    whole = path
    while path:
        if has(layer.data, path):
            value = _at(layer.data, path)
            if path != whole and isinstance(value, dict):
                return None  # what is around it was merged, not replaced
            return Origin(path, value, layer.file, *nearest(layer.places, path))
        path = path[:-1]
    return None


def _at(data: Any, path: DataPath) -> Any:
    for key in path:
        data = data[key]
    return data
