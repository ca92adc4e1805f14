"""Data against a pydantic model, with the file's line for whatever does not fit."""

import difflib
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from .problem import Problem, UnreadableProfile
from .yaml_data import YAMLData

M = TypeVar("M", bound=BaseModel)


def validate(path: str, data: YAMLData, model: type[M]) -> M:
    """The model; raises UnreadableProfile with every misfit, unknown keys with what was probably meant."""
    value: Any = {} if data.value is None else data.value
    if not isinstance(value, dict):
        raise UnreadableProfile(Problem(path, 1, 1, f"expected keys and values, found a {type(value).__name__}"))
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = []
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            line, column = data.place(item["loc"])
            message, hint = str(item["msg"]), ""
            if item["type"] == "extra_forbidden":
                key = str(item["loc"][-1])
                message = f"unknown key {key!r}"
                known = list(_model_at(model, item["loc"][:-1]).model_fields)
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
            elif item["loc"]:
                message = f"{'.'.join(str(part) for part in item['loc'])}: {message}"
            problems.append(Problem(path, line, column, message, hint))
        raise UnreadableProfile(*problems) from error


def _model_at(model: type[BaseModel], path: tuple[str | int, ...]) -> type[BaseModel]:
    """The model of what stands at `path` inside one of `model`."""
    for name in path:
        if isinstance(name, str):
            annotation = model.model_fields[name].annotation
            model = next(a for a in (annotation, *get_args(annotation)) if _is_model(a))
    return model


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
