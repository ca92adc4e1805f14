"""Manifests and folder defaults (design.md section 4)."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gitops_profile.presentity import MAX_DEVICE_TEXT

from .notify import FolderNotify, Notify
from .problem import Problem, UnreadableProfile
from .schema import validate
from .settings import MEDIA_TYPE
from .yaml_data import YAMLData, read_yaml

MAX_VARIANTS = 32
"""In one manifest: each is rendered, kept and logged with every change of any of them."""

MAX_BASES = 32
"""That one file extends, those that its bases extend included."""


def _as_written(value: Any) -> Any:
    """A version or MAC that YAML took for a number, which it only does when nothing is lost (yaml_reader.py)."""
    return str(value) if type(value) in (int, float) else value


Text = Annotated[str, BeforeValidator(_as_written, json_schema_input_type=str | int | float)]


def _listed(value: Any) -> Any:
    """One name is a list of one."""
    return (value,) if type(value) in (str, int, float) else value


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is there twice")
        # Whoever looks for the file of a base must not be led out of the folder.
        if not name.isprintable() or any(part == "" or part.startswith(".") for part in name.split("/")):
            raise ValueError(f"{name!r} cannot be the name of a base: NAME stands for bases/NAME.yaml")
    return names


Extends = Annotated[
    Annotated[tuple[Text, ...], Field(max_length=MAX_BASES)],
    BeforeValidator(_listed, json_schema_input_type=Text | Annotated[list[Text], Field(max_length=MAX_BASES)]),
    AfterValidator(_each_once),
]
"""Names of bases, the weakest first."""


class Delivery(BaseModel):
    """What a document is made with, and how it travels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: dict[str, Any] = Field(default_factory=dict)
    template: str | None = None
    content_type: str | None = None
    sensitive: bool | None = None
    effective_by: int | None = Field(default=None, ge=0)

    @field_validator("content_type")
    @classmethod
    def _media_type(cls, value: str | None) -> str | None:
        if value is not None and not MEDIA_TYPE.fullmatch(value):
            raise ValueError("is no media type, such as text/xml")
        return value


class Defaults(Delivery):
    """What a folder's `defaults.yaml` may hold: it is inherited by every manifest below."""

    REFUSED: ClassVar = {
        "extends": ("a folder extends no base", "name the base in the manifests, or put its values here")
    }

    notify: FolderNotify | None = None


class ProfileBase(Delivery):
    """What a base may hold: a named set of values and a template, for those that extend it."""

    REFUSED: ClassVar = dict.fromkeys(
        ("body", "file"), ("a base has no document of its own", "give it a template, or the manifests this key")
    )

    extends: Extends = ()
    notify: FolderNotify | None = None


class Content(Delivery):
    """A document of its own: it may also be written out, or be a file."""

    body: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Content":
        if (self.template is not None) + (self.body is not None) + (self.file is not None) > 1:
            given = [name for name in ("template", "body", "file") if getattr(self, name) is not None]
            raise ValueError(f"only one of template, body and file may be given, not {' and '.join(given)}")
        return self


Glob = Annotated[Text, Field(min_length=1, max_length=MAX_DEVICE_TEXT)]


class When(BaseModel):
    """Which phones a variant is for, by what they say of themselves: globs, with * and ?."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"minProperties": 1})

    vendor: Glob | None = None
    model: Glob | None = None
    version: Glob | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "When":
        if self.vendor is None and self.model is None and self.version is None:
            raise ValueError("give at least one of vendor, model and version")
        return self

    def asked(self) -> dict[str, str]:
        """What is asked for, in lower case. A glob of nothing but stars asks nothing."""
        globs = {"vendor": self.vendor, "model": self.model, "version": self.version}
        return {name: glob.lower() for name, glob in globs.items() if glob is not None and glob.strip("*")}


class VariantRule(Content):
    """What the phones of one kind get instead; what it does not name is the manifest's."""

    REFUSED: ClassVar = {
        "extends": ("a variant extends no base", "name the base at the top, or give the variant a template and values"),
        "notify": ("a variant has no policy of its own", "write it at the top: it holds for all phones of the profile"),
    }

    when: When


class Manifest(Content):
    """What a manifest may hold."""

    extends: Extends = ()
    notify: Notify | None = None
    aliases: list[Text] = Field(default_factory=list)
    variants: list[VariantRule] = Field(default_factory=list, max_length=MAX_VARIANTS)


@dataclass(frozen=True, slots=True)
class ReadManifest:
    """A manifest with the places of its values."""

    manifest: Manifest
    data: YAMLData


@dataclass(frozen=True, slots=True)
class ReadDefaults:
    """The defaults of a folder with the places of their values."""

    defaults: Defaults
    data: YAMLData


def read_manifest(path: str, content: bytes) -> ReadManifest:
    """Raises UnreadableProfile."""
    data = read_yaml(path, content)
    read = ReadManifest(validate(path, data, Manifest), data)
    problems = _unreachable(path, read)
    if problems:
        raise UnreadableProfile(*problems)
    return read


def read_defaults(path: str, content: bytes) -> ReadDefaults:
    """Raises UnreadableProfile."""
    data = read_yaml(path, content)
    return ReadDefaults(validate(path, data, Defaults), data)


def _unreachable(path: str, read: ReadManifest) -> list[Problem]:
    """Variants that no phone can get, because an earlier one asks for the same or less."""
    problems = []
    earlier: list[dict[str, str]] = []
    for number, rule in enumerate(read.manifest.variants):
        asked = rule.when.asked()
        for before, known in enumerate(earlier):
            if known.items() <= asked.items():
                place = read.data.place(("variants", number, "when"))
                line = read.data.place(("variants", before, "when"))[0]
                message = f"variants.{number}: no phone gets this, since the one of line {line} suits them all"
                problems.append(Problem(path, *place, message, "put the narrower one first, or remove it", "variants"))
                break
        earlier.append(asked)
    return problems


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`: mappings merge deeply, lists and scalars replace."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        result[key] = merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Manifest.model_json_schema()}
