"""One file as the document it makes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gitops_profile.presentity import ProfileDocument, ProfileKey, Variant, mac_of

from .aliases import read_aliases
from .bases import base_path
from .layout import DEFAULTS, folders_above, key_of_path
from .manifest import Delivery, Manifest, ReadManifest, merge
from .policies import Policies
from .problem import Problem, UnreadableProfile
from .schema import did_you_mean
from .state import State
from .template import MAX_OUTPUT
from .written import Layer, Written, find_written
from .yaml_reader import DataPath

_INHERITED = ("template", "content_type", "sensitive", "effective_by")
_SOURCES = ("template", "body", "file")

Layers = tuple[tuple[Delivery, DataPath], ...]
"""What a document is made from, nearest first: a variant, the manifest, what it inherits; each with its place in the
file.
"""
Source = tuple[str, str, DataPath]
""""template", "body" or "file"; what it says; where."""
Made = tuple[str, bytes, bool, int | None]
"""Content type, body, sensitive and effective_by."""


class Builder:
    """Makes documents from the files of one state; what a folder and its bases give is merged once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._folders: dict[tuple[str, tuple[str, ...]], Delivery] = {}
        self._policies = Policies(state)
        self._types: dict[str, str] = {}
        """Content types by the ends of names."""

    def plain(self, path: str, key: ProfileKey, content: bytes) -> ProfileDocument:
        """A plain document: delivered byte for byte. Raises UnreadableProfile."""
        ending = path[path.rfind(".") :]
        content_type = self._types.get(ending)
        if content_type is None:
            content_type = self._state.settings.content_type(path)
            if "/" not in ending and ending != ".j2":  # `a.xml.j2` is what `a.xml` is
                self._types[ending] = content_type
        return ProfileDocument(key, content_type, content, path, notify=self._policies.of(path))

    def from_manifest(self, path: str, read: ReadManifest) -> ProfileDocument:
        """The document of a manifest with its variants and aliases. Raises UnreadableProfile."""
        key = key_of_path(path)
        if read.manifest.extends:
            self._state.bases.check(path, read.manifest.extends, read.data)
        aliases = read_aliases(path, read, key) if read.manifest.aliases else ()
        layers = self._layers(path, read.manifest)
        content_type, body, sensitive, effective_by = self._make(path, read, key, layers)
        variants = self._variants(path, read, key, layers) if read.manifest.variants else ()
        if variants and (together := len(body) + sum(len(variant.body) for variant in variants)) > MAX_OUTPUT:
            message = f"the document and its variants have {together} bytes together; at most {MAX_OUTPUT} are allowed"
            raise UnreadableProfile(Problem(path, *read.data.place(("variants",)), message, rule="too-costly"))
        notify = self._policies.of(path, read.manifest.extends, read.manifest.notify)
        return ProfileDocument(key, content_type, body, path, sensitive, effective_by, variants, aliases, notify)

    def sources_of(self, path: str, manifest: Manifest) -> Iterator[tuple[str, str]]:
        """What a manifest and its variants are made of: pairs of "template" or "file" and the name in that folder."""
        own = self._layers(path, manifest)
        for layers in (own, *(((rule, ()), *own) for rule in manifest.variants)):
            source = _source(layers)
            if source is not None and source[0] != "body":
                yield source[0], _name(source[1]) if source[0] == "template" else source[1]

    def source_of(self, path: str, read: ReadManifest, variant: int | None) -> Source | None:
        """What the document, or a variant of it by number, is made of."""
        return _source(self._layers_of(path, read, variant))

    def values_of(self, path: str, read: ReadManifest, variant: int | None) -> list[Layer]:
        """The files that the values of the document, or of a variant, come from, the nearest first."""
        return list(self._written(path, read, self._layers_of(path, read, variant)))

    def _layers_of(self, path: str, read: ReadManifest, variant: int | None) -> Layers:
        own = self._layers(path, read.manifest)
        return own if variant is None else ((read.manifest.variants[variant], ("variants", variant)), *own)

    def _layers(self, path: str, manifest: Manifest) -> Layers:
        return (manifest, ()), (self._inherited(path, manifest.extends), ())

    def _inherited(self, path: str, extends: tuple[str, ...]) -> Delivery:
        """Every defaults.yaml from the top down to the folder of `path`, then the bases, merged."""
        folder = path.rpartition("/")[0]
        known = self._folders.get((folder, extends))
        if known is None:
            if extends:
                known = self._inherited(path, ())
                layers: Iterable[Delivery] = self._state.bases.in_order(extends)
            else:
                known = Delivery()
                read = filter(None, map(self._state.defaults.get, folders_above(path)))
                layers = (folder_defaults.defaults for folder_defaults in read)
            for layer in layers:
                update = {n: getattr(layer, n) for n in _INHERITED if getattr(layer, n) is not None}
                known = known.model_copy(update={**update, "values": merge(known.values, layer.values)})
            self._folders[folder, extends] = known
        return known

    def _variants(self, path: str, read: ReadManifest, key: ProfileKey, layers: Layers) -> tuple[Variant, ...]:
        variants, problems = [], []
        for number, rule in enumerate(read.manifest.variants):
            place: DataPath = ("variants", number)
            try:
                made = self._make(path, read, key, ((rule, place), *layers))
            except UnreadableProfile as error:
                # What a template says has no line in this file: the variant's is the nearest.
                where = read.data.place(place)
                problems += [
                    Problem(path, *where, f"variants.{number}: {p.message}", p.hint, p.rule) if not p.line else p
                    for p in error.problems
                ]
            else:
                variants.append(Variant(rule.when.vendor, rule.when.model, rule.when.version, *made))
        if problems:
            raise UnreadableProfile(*problems)
        return tuple(variants)

    def _make(self, path: str, read: ReadManifest, key: ProfileKey, layers: Layers) -> Made:
        """One document from its layers. Its content type is the given one, or what its source suggests."""
        settings = self._state.settings
        source = _source(layers)
        if source is None:
            raise UnreadableProfile(_no_source(path, read))
        kind, text, place = source
        given = _settled(layers, "content_type")
        sensitive, effective_by = bool(_settled(layers, "sensitive")), _settled(layers, "effective_by")
        match kind:
            case "body":
                return given or settings.content_type("body.txt"), text.encode(), sensitive, effective_by
            case "file":
                data = self._state.data.get(f"files/{text}")
                if data is None:
                    message, hint = f"there is no files/{text}", "`file:` names a file under files/"
                    raise UnreadableProfile(Problem(path, *read.data.place(place), message, hint, "missing-file"))
                return given or settings.content_type(text), data, sensitive, effective_by
        name = _name(text)
        if name not in self._state.templates:
            if _source(layers[:-1]) is None and self._state.bases.name_template(name):
                raise UnreadableProfile  # said of the base
            hint = did_you_mean(name, sorted(self._state.sources), "templates")
            what = f"there is no templates/{name}"
            raise UnreadableProfile(Problem(path, *read.data.place(place), what, hint, "template"))
        context: dict[str, Any] = {}
        for layer, _ in reversed(layers):
            context = merge(context, layer.values)
        context |= {"key": str(key), "domain": key.domain, "name": key.name, "mac": mac_of(key.name) or ""}
        content_type = given or settings.content_type(name)

        def find(value: str, unfit: Callable[[str], bool]) -> Written | None:
            return find_written(list(self._written(path, read, layers)), context, value, unfit)

        body = self._state.templates.render(path, name, context, content_type, find)
        return content_type, body, sensitive, effective_by

    def _written(self, path: str, read: ReadManifest, layers: Layers) -> Iterator[Layer]:
        """The files that the values of a document come from, the nearest first."""
        for _, place in layers[:-1]:
            yield path, read.data, (*place, "values")
        for name in reversed(self._state.bases.line(read.manifest.extends) or ()):
            base = self._state.bases.read[name]
            assert base is not None, "a base without content has no line"
            yield base_path(name), base.data, ("values",)
        for folder in reversed(list(folders_above(path))):
            defaults = self._state.defaults.get(folder)
            if defaults is not None:
                yield f"{folder}/{DEFAULTS}" if folder else DEFAULTS, defaults.data, ("values",)


def _settled(layers: Layers, name: str) -> Any:
    """The nearest value."""
    for layer, _ in layers:
        value = getattr(layer, name)
        if value is not None:
            return value
    return None


def _source(layers: Layers) -> Source | None:
    """What the nearest layer says the document is made of, and where it says so."""
    for layer, place in layers:
        for name in _SOURCES:
            value = getattr(layer, name, None)
            if value is not None:
                return name, value, (*place, name)
    return None


def _name(template: str) -> str:
    return template.removeprefix("templates/")


def _no_source(path: str, read: ReadManifest) -> Problem:
    """A manifest whose variants are all there is would leave every other phone with nothing."""
    if read.manifest.variants:
        message = "nothing says what a phone gets that no variant suits"
        hint = "give a template, body or file at the top, or a template in a defaults.yaml above"
        return Problem(path, *read.data.place(("variants",)), message, hint, "no-document")
    hint = "give one of template, body and file, or a template in a defaults.yaml above"
    return Problem(path, 0, 0, "nothing says what the document is made of", hint, "no-document")
