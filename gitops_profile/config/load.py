"""Reading the settings: flags over environment over file, and every error with the place it was set."""

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .errors import ConfigError
from .models import Config

PREFIX = "GITOPS_PROFILE_"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
"""Names the file when no flag does."""

SECRETS = ("repository.token",)
"""Taken from the environment only."""

SHORT_FLAGS = {
    "repository.url": "--repo",
    "repository.ref": "--ref",
    "repository.path": "--path",
    "repository.poll": "--poll",
    "repository.fetch": "--fetch",
    "http.listen": "--http",
    "pnp.interfaces": "--pnp",
}

EXPECTED = {
    "dict_type": "keys and values",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "keys and values",
    "path_type": "a path",
    "string_type": "text, in quotes",
}
"""pydantic's kinds of misfit, in an operator's words."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as the command line and the documentation present it."""

    key: str
    """Dotted, as in the file: `repository.url`."""
    flag: str
    variable: str
    description: str
    default: str
    """As it would be written in the file."""
    many: bool
    """A list: the flag may be repeated."""


def settings() -> tuple[Setting, ...]:
    """Every setting, in the order of the file."""
    return tuple(_setting(key, info) for key, info in _leaves(Config))


def schema() -> dict[str, Any]:
    """The JSON Schema of the settings file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def load_config(
    file: Path | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """The settings from all three sources; a flag beats a variable, a variable beats the file.

    `flags` go by their dotted key; None and an empty list mean that it was not given. `environment` is the process's
    own by default. Paths are meant from the current folder, wherever they were set. Raises ConfigError.
    """
    variables = os.environ if environment is None else environment
    if file is None and variables.get(CONFIG_VARIABLE):
        file = Path(variables[CONFIG_VARIABLE])
    sources = _Sources(str(file) if file else "")
    if file is not None:
        sources.values = _read(file)
        _refuse_secrets(sources.values, file)
    for name in sorted(variables):
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE and variables[name]:
            key = _key_of_variable(name)
            sources.put(key, _from_text(variables[name], _annotation(key), name), name)
    known = {setting.key: setting for setting in settings()}
    for dotted, value in (flags or {}).items():
        if value is None or (isinstance(value, (list, tuple)) and not value):
            continue
        key, flag = tuple(dotted.split(".")), known[dotted].flag
        sources.put(key, _from_text(value, _annotation(key), flag) if isinstance(value, str) else value, flag)
    return sources.validated()


@dataclass
class _Sources:
    """The settings as they were found, and where each was set."""

    file: str
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Key, str] = field(default_factory=dict)

    def put(self, key: Key, value: object, origin: str) -> None:
        """Set one, over whatever was there. Raises ConfigError when the file has a value where a section belongs."""
        section = self.values
        for depth, name in enumerate(key[:-1], 1):
            inner = section.setdefault(name, {})
            if inner is None:  # `notify:` with nothing below it
                inner = section[name] = {}
            if not isinstance(inner, dict):
                raise ConfigError(self.where(key[:depth]), ".".join(key[:depth]), "expected keys and values")
            section = inner
        section[key[-1]] = value
        self.origins[key] = origin

    def where(self, key: Key) -> str:
        """Who set `key`, or what contains it, or else something in it; nobody alone, when it is about all settings."""
        if not key and self.file and self.origins:
            return ""
        above = [origin for known, origin in self.origins.items() if key[: len(known)] == known]
        below = [origin for known, origin in self.origins.items() if known[: len(key)] == key]
        return (above + below or [self.file])[-1]

    def validated(self) -> Config:
        """Raises ConfigError for the first thing that is wrong."""
        # A section of which every key is commented out is null, and means its defaults.
        present = {
            name: value for name, value in self.values.items() if value is not None or name not in Config.model_fields
        }
        try:
            return Config.model_validate(present)
        except ValidationError as error:
            raise self._explain(error.errors(include_url=False)) from None

    def _explain(self, errors: Sequence[ErrorDetails]) -> ConfigError:
        # An unknown key explains what follows from it, so it comes first.
        first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
        names = tuple(str(part) for part in first["loc"] if part != "[key]")
        where = self.where(names)
        if first["type"] == "extra_forbidden":
            return ConfigError(where, ".".join(names), "unknown key", _suggestion(names))
        return ConfigError(where, _written(first["loc"]), _message(first))


def _message(error: ErrorDetails) -> str:
    """What pydantic found, in an operator's words."""
    found = error["input"]
    expected = EXPECTED.get(error["type"])
    if expected is None and not error["msg"].startswith("Input should be "):
        return error["msg"].removeprefix("Value error, ")
    text = f"must be {expected or error['msg'].removeprefix('Input should be ')}"
    return f"{text}, not {found!r}" if isinstance(found, str | int | float) else text


def _read(file: Path) -> dict[str, Any]:
    """The settings file as plain data; raises ConfigError."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(file), "", f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), "", f"is not UTF-8 (byte {error.start})") from error
    from ruamel.yaml import YAML  # 0.01 s, which a start without a file is spared
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        data = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise ConfigError(place, "", str(error.problem or error.context)) from None
    except YAMLError as error:
        raise ConfigError(str(file), "", f"is not YAML: {error}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(str(file), "", "expected keys and values", "such as repository: {url: .}")
    return {str(key): value for key, value in data.items()}


def _refuse_secrets(values: Mapping[str, Any], file: Path) -> None:
    """A settings file is shown, copied and committed; raises ConfigError for a secret in it."""
    for key in SECRETS:
        section, _, name = key.partition(".")
        found = values.get(section)
        if isinstance(found, dict) and found.get(name) is not None:
            hint = f"write it into a file of its own, and name that one in {key}_file"
            raise ConfigError(str(file), key, "a secret must not be in the settings file", hint)


def _key_of_variable(name: str) -> Key:
    """GITOPS_PROFILE_REPOSITORY__URL is repository.url; raises ConfigError for what is no setting."""
    key = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
    if _annotation(key) is None:
        raise ConfigError(name, ".".join(key), "unknown key", _suggestion(key))
    return key


def _annotation(key: Key) -> Any:
    """The type of the setting at `key`; None when there is none."""
    annotation: Any = Config
    for name in key:
        if _is_section(annotation):
            info = annotation.model_fields.get(name)
            annotation = info and info.annotation
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        else:
            return None
    return annotation


def _from_text(text: str, annotation: Any, where: str) -> object:
    """A variable or flag as data: lists by comma or as JSON, mappings as JSON, `null` for nothing."""
    if text == "null":
        return None
    if get_origin(annotation) is list and not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    if get_origin(annotation) in (list, dict) or _is_section(annotation):
        try:
            return json.loads(text)
        except ValueError as error:
            raise ConfigError(where, "", f"is not JSON: {error}") from None
    return text


def _suggestion(names: Key) -> str | None:
    """What was probably meant by an unknown key: a neighbour, or the same name in another section."""
    parent = _annotation(names[:-1])
    neighbours = list(parent.model_fields) if _is_section(parent) else []
    by_name = {key.rpartition(".")[2]: key for key, _ in _leaves(Config)}
    if names[-1] in by_name:
        return f"did you mean {by_name[names[-1]]}?"
    close = difflib.get_close_matches(names[-1], neighbours, n=1)
    if close:
        return f"did you mean {'.'.join([*names[:-1], close[0]])}?"
    close = difflib.get_close_matches(names[-1], by_name, n=1, cutoff=0.8)
    if close:
        return f"did you mean {by_name[close[0]]}?"
    return f"known here: {', '.join(neighbours)}" if neighbours else None


def _leaves(model: type[BaseModel], above: Key = ()) -> Iterator[tuple[str, FieldInfo]]:
    for name, info in model.model_fields.items():
        if _is_section(info.annotation):
            yield from _leaves(info.annotation, (*above, name))  # type: ignore[arg-type]  # _is_section has looked
        else:
            yield ".".join((*above, name)), info


def _setting(key: str, info: FieldInfo) -> Setting:
    annotation: Any = info.annotation
    default = TypeAdapter(annotation).dump_json(_default_of(key)).decode()
    return Setting(
        key=key,
        flag=SHORT_FLAGS.get(key, "--" + key.replace(".", "-").replace("_", "-")),
        variable=PREFIX + key.replace(".", "__").upper(),
        description=info.description or "",
        default=default.strip('"'),
        many=get_origin(info.annotation) is list,
    )


def _default_of(key: str) -> object:
    value: object = _DEFAULTS
    for name in key.split("."):
        value = getattr(value, name)
    return value


_DEFAULTS = Config()


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _written(location: tuple[int | str, ...]) -> str:
    """A pydantic location as a person writes it: `listen[1]`, `domains.example.com.auth`."""
    text = ""
    for part in location:
        if part != "[key]":
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")
