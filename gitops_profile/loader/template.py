"""Jinja2 templates in a sandbox: data in, text out, bounded. Nothing of Python is reachable."""

from collections.abc import Mapping
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .problem import Problem, UnreadableProfile

MAX_OUTPUT = 1 << 20
"""Characters of one rendered document."""


class _LineFormatError(ValueError):
    """A value that would start a line of its own."""


class _Sources(BaseLoader):
    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        try:
            return self._sources[template], f"templates/{template}", None
        except KeyError:
            raise TemplateNotFound(template) from None


class Templates:
    """Every template of a revision, compiled when first used."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        loader = _Sources(sources)
        # Bytecode is kept for as long as this object lives; a changed template makes a new one.
        options: dict[str, Any] = {
            "loader": loader,
            "undefined": StrictUndefined,
            "cache_size": -1,
            "auto_reload": False,
        }
        options |= {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
        self._markup = ImmutableSandboxedEnvironment(autoescape=True, **options)
        self._lines = ImmutableSandboxedEnvironment(autoescape=False, finalize=_one_line, **options)

    def __contains__(self, name: str) -> bool:
        return name in self._sources

    def problems(self, name: str) -> list[Problem]:
        """What keeps a template from being compiled."""
        try:
            self._environment(name).get_template(name)
        except TemplateSyntaxError as error:
            path = error.filename or f"templates/{error.name or name}"
            return [Problem(path, error.lineno, 0, f"template: {error.message}")]
        except TemplateError as error:
            return [Problem(f"templates/{name}", 0, 0, f"template: {error}")]
        return []

    def uses(self, name: str) -> frozenset[str] | None:
        """The templates that `name` includes, extends or imports, itself included; None when only a run can tell."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current in found or current not in self._sources:
                continue
            found.add(current)
            try:
                tree = self._environment(current).parse(self._sources[current])
            except TemplateSyntaxError:
                continue  # reported by `problems`
            for used in meta.find_referenced_templates(tree):
                if used is None:
                    return None
                waiting.append(used)
        return frozenset(found)

    def render(self, path: str, name: str, context: dict[str, Any]) -> bytes:
        """The document that the manifest at `path` makes; raises UnreadableProfile."""
        try:
            pieces, size = [], 0
            for piece in self._environment(name).get_template(name).generate(context):
                size += len(piece)
                if size > MAX_OUTPUT:
                    raise UnreadableProfile(
                        Problem(path, 0, 0, f"templates/{name} makes more than {MAX_OUTPUT} characters")
                    )
                pieces.append(piece)
            return "".join(pieces).encode()
        except UnreadableProfile:
            raise
        except MemoryError as error:
            raise UnreadableProfile(Problem(path, 0, 0, f"templates/{name} needs too much memory")) from error
        except Exception as error:
            # A template is somebody's program: whatever it raises is a problem of that file, never of ours.
            raise UnreadableProfile(self._problem(path, name, error)) from error

    def _environment(self, name: str) -> ImmutableSandboxedEnvironment:
        markup = name.removesuffix(".j2").endswith((".xml", ".html", ".htm"))
        return self._markup if markup else self._lines

    @staticmethod
    def _problem(path: str, name: str, error: Exception) -> Problem:
        line, where = 0, f"templates/{name}"
        trace = error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if file.startswith("templates/"):
                line, where = trace.tb_lineno, file
            trace = trace.tb_next
        place = f"{where}:{line}" if line else where
        if isinstance(error, SecurityError):
            return Problem(path, 0, 0, f"{place}: {error}", "templates may only use values, filters and loops")
        kind = "" if isinstance(error, TemplateError | _LineFormatError) else f"{type(error).__name__}: "
        return Problem(path, 0, 0, f"{place}: {kind}{error}")


def _one_line(value: object) -> object:
    """Refuse line ends in what is put into a line format: the rest of it would be a setting of its own."""
    if isinstance(value, str) and ("\r" in value or "\n" in value):
        raise _LineFormatError("a value with a line end cannot be put into a line format")
    return value
