"""Data against a pydantic model, with the file's line for whatever does not fit."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from .problem import Problem, UnreadableProfile
from .yaml_data import YAMLData

M = TypeVar("M", bound=BaseModel)
_LISTED = 20
"""Names in a hint."""
MAX_MISFITS = 200
"""Problems of one file; whoever has more has given it another form altogether, and each costs a search."""


def validate(path: str, data: YAMLData, model: type[M]) -> M:
    """The model; raises UnreadableProfile with every misfit, unknown keys with what was probably meant."""
    value: Any = {} if data.value is None else data.value
    if not isinstance(value, dict):
        raise UnreadableProfile(
            Problem(path, 1, 1, f"expected keys and values, found a {type(value).__name__}", rule="wrong-value")
        )
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = []
        items = error.errors(include_url=False, include_context=False, include_input=False)
        for item in items[:MAX_MISFITS]:
            line, column = data.place(item["loc"])
            message, hint, rule = str(item["msg"]), "", "wrong-value"
            if item["type"] == "extra_forbidden":
                message, hint = _misplaced(_model_at(model, item["loc"][:-1]), str(item["loc"][-1]))
                rule = "unknown-key"
            elif item["loc"]:
                message = f"{'.'.join(str(part) for part in item['loc'])}: {message}"
            problems.append(Problem(path, line, column, message, hint, rule))
        if len(items) > MAX_MISFITS:
            more = f"and {len(items) - MAX_MISFITS} more problems in this file"
            place = data.place(items[MAX_MISFITS]["loc"])
            problems.append(Problem(path, *place, more, "is it the right kind of file?", "wrong-value"))
        raise UnreadableProfile(*problems) from error


def did_you_mean(name: str, known: Sequence[str], kind: str) -> str:
    """A hint: what was probably meant, or else all of the `kind` that there are."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    listed = ", ".join([*known[:_LISTED], *(["…"] if len(known) > _LISTED else [])])
    return f"known {kind}: {listed}" if known else f"there are no {kind}"


def _misplaced(model: type[BaseModel], key: str) -> tuple[str, str]:
    """Message and hint for a key that `model` does not have: some are known elsewhere, and refused by name."""
    refused: dict[str, tuple[str, str]] = getattr(model, "REFUSED", {})
    if key in refused:
        message, hint = refused[key]
        return f"{key}: {message}", hint
    return f"unknown key {key!r}", did_you_mean(key, list(model.model_fields), "keys")


def _model_at(model: type[BaseModel], path: tuple[str | int, ...]) -> type[BaseModel]:
    """The model of what stands at `path` inside one of `model`."""
    for name in path:
        if isinstance(name, str):
            model = next(_models_in(model.model_fields[name].annotation))
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold, also in a list or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
