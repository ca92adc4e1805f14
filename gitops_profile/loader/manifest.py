"""Manifests and folder defaults (design.md section 4)."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gitops_profile.presentity import InvalidKey, ProfileKey

from .schema import validate
from .settings import MEDIA_TYPE
from .yaml_data import YAMLData, read_yaml


class Defaults(BaseModel):
    """What a folder's `defaults.yaml` may hold: it is inherited by every manifest below."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: dict[str, Any] = Field(default_factory=dict)
    template: str | None = None
    content_type: str | None = None
    sensitive: bool | None = None
    effective_by: int | None = Field(default=None, ge=0)
    notify: dict[str, Any] | None = None

    @field_validator("content_type")
    @classmethod
    def _media_type(cls, value: str | None) -> str | None:
        if value is not None and not MEDIA_TYPE.fullmatch(value):
            raise ValueError("is no media type, such as text/xml")
        return value


class Manifest(Defaults):
    """What a manifest may hold. `extends` and `variants` keep their place and come next."""

    body: str | None = None
    file: str | None = None
    aliases: list[str] = Field(default_factory=list)
    extends: Any = None
    variants: Any = None

    @field_validator("extends", "variants")
    @classmethod
    def _later(cls, value: Any) -> Any:
        if value is not None:
            raise ValueError("is not supported yet")
        return value

    @model_validator(mode="after")
    def _one_source(self) -> "Manifest":
        given = [name for name in ("template", "body", "file") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"only one of template, body and file may be given, not {' and '.join(given)}")
        return self


@dataclass(frozen=True, slots=True)
class ReadManifest:
    """A manifest with the places of its values."""

    manifest: Manifest
    data: YAMLData


def read_manifest(path: str, content: bytes) -> ReadManifest:
    """Raises UnreadableProfile."""
    data = read_yaml(path, content)
    return ReadManifest(validate(path, data, Manifest), data)


def read_defaults(path: str, content: bytes) -> Defaults:
    """Raises UnreadableProfile."""
    return validate(path, read_yaml(path, content), Defaults)


def alias_key(text: str) -> ProfileKey:
    """The key that an entry of `aliases` names: `sip:user@domain` or a key as `user/…`; raises InvalidKey."""
    if text.startswith("sip:"):
        user, at, domain = text[4:].partition("@")
        if not at:
            raise InvalidKey(f"{text!r} is no sip:user@domain")
        return ProfileKey.user(domain, user)
    return ProfileKey.parse(text)


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
