"""Jinja2 templates in a sandbox: data in, text out, bounded. Nothing of Python is reachable."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import (
    BaseLoader,
    Environment,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    meta,
)
from jinja2.exceptions import SecurityError

from .formats import FINALIZE, Format, MalformedOutput, ValueRefused
from .problem import Problem, UnreadableProfile
from .sandbox import Sandbox
from .written import Written

MAX_OUTPUT = 1 << 20
"""Characters of one rendered document."""
Find = Callable[[str, Callable[[str], bool]], Written | None]
"""Where a value was written; it may also be the one value of which the predicate holds."""


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
        self._used: dict[str, frozenset[str] | None] = {}
        loader = _Sources(sources)
        # Bytecode is kept for as long as this object lives; a changed template makes a new one.
        options: dict[str, Any] = {"loader": loader, "undefined": StrictUndefined, "cache_size": -1}
        options |= {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True, "auto_reload": False}
        self._sandboxes = {
            form: Sandbox(autoescape=form in (Format.XML, Format.HTML), finalize=finalize, **options)
            for form, finalize in FINALIZE.items()
        }
        self._lines = self._sandboxes[Format.LINES]

    def __contains__(self, name: str) -> bool:
        return name in self._sources

    def problems(self, name: str) -> list[Problem]:
        """What keeps a template from being compiled."""
        try:
            self._lines.get_template(name)
        except TemplateSyntaxError as error:
            path = error.filename or f"templates/{error.name or name}"
            return [Problem(path, error.lineno, 0, f"template: {error.message}", rule="template")]
        except TemplateError as error:
            return [Problem(f"templates/{name}", 0, 0, f"template: {error}", rule="template")]
        except Exception as error:
            # Neither Jinja2's parser nor Python's compiler says in one way that something is too deep or too long.
            what = f"template: cannot be compiled: {type(error).__name__}: {error}"
            hint = "" if isinstance(error, ValueError) else "is it nested very deeply?"
            return [Problem(f"templates/{name}", 0, 0, what, hint, "template")]
        return []

    def uses(self, name: str) -> frozenset[str] | None:
        """The templates that `name` includes, extends or imports, itself and those that are not there included.

        None when only a run can tell.
        """
        if name not in self._used:
            self._used[name] = self._find_used(name)
        return self._used[name]

    def _find_used(self, name: str) -> frozenset[str] | None:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current in found:
                continue
            found.add(current)
            if current not in self._sources:
                continue  # `ignore missing`: it will matter once it is there
            try:
                tree = self._lines.parse(self._sources[current])
            except (TemplateSyntaxError, RecursionError, ValueError):
                continue  # reported by `problems`
            for used in meta.find_referenced_templates(tree):
                if used is None:
                    return None
                waiting.append(used)
        return frozenset(found)

    def render(self, path: str, name: str, context: dict[str, Any], content_type: str, find: Find) -> bytes:
        """The document that the manifest at `path` makes; the content type says how values get into it, whatever the
        file is called. Raises UnreadableProfile, with the place that `find` knows of a value that the format refuses.
        """
        form = Format.of(content_type)
        environment = self._sandboxes[form]
        try:
            environment.begin()
            document = self._document(path, environment.get_template(name), context)
            form.check(document)
            return document.encode()
        except UnreadableProfile:
            raise
        except ValueRefused as error:
            raise UnreadableProfile(self._refused(path, name, error, find(error.value, form.refuses))) from error
        except MemoryError as error:
            raise UnreadableProfile(
                Problem(path, 0, 0, f"templates/{name} needs too much memory", rule="too-costly")
            ) from error
        except Exception as error:
            # A template is somebody's program: whatever it raises is a problem of that file, never of ours.
            raise UnreadableProfile(self._problem(path, name, error)) from error

    @staticmethod
    def _document(path: str, template: Template, context: dict[str, Any]) -> str:
        """As `template.generate` does it, with one generator less between each piece and its reader."""
        pieces, size = [], 0
        try:
            for piece in template.root_render_func(template.new_context(context)):
                size += len(piece)
                if size > MAX_OUTPUT:
                    what = f"templates/{template.name} makes more than {MAX_OUTPUT} characters"
                    raise UnreadableProfile(Problem(path, 0, 0, what, rule="too-costly"))
                pieces.append(piece)
        except UnreadableProfile:
            raise
        except Exception:
            template.environment.handle_exception()  # raises it again, with the lines of the template
        return "".join(pieces)

    @classmethod
    def _refused(cls, path: str, name: str, error: ValueRefused, written: Written | None) -> Problem:
        if written is None:
            return cls._problem(path, name, error)
        hint = f"{cls._line_of(name, error)} puts it into the document"
        return Problem(written.file, *written.place, f"{written.name}: {error}", hint, "wrong-value")

    @staticmethod
    def _line_of(name: str, error: Exception) -> str:
        """The line of a template that raised."""
        line, where = 0, f"templates/{name}"
        trace = error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if file.startswith("templates/"):
                line, where = trace.tb_lineno, file
            trace = trace.tb_next
        return f"{where}:{line}" if line else where

    @classmethod
    def _problem(cls, path: str, name: str, error: Exception) -> Problem:
        place = cls._line_of(name, error)
        if isinstance(error, SecurityError):
            return Problem(
                path, 0, 0, f"{place}: {error}", "templates may only use values, filters and loops", "template"
            )
        kind = "" if isinstance(error, TemplateError | ValueRefused | MalformedOutput) else f"{type(error).__name__}: "
        return Problem(path, 0, 0, f"{place}: {kind}{error}", rule="template")
