"""Bases: the named sets of values and a template that manifests, and other bases, take up with `extends`.

A manifest's bases are one line, the weakest first: what a base extends comes before it, and each stands there once, at
its first place. What is wrong with a base is said of the base, once, however many files extend it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .layout import BASES
from .manifest import MAX_BASES, ProfileBase
from .problem import Problem, UnreadableProfile
from .schema import did_you_mean, validate
from .yaml_data import YAMLData, read_yaml

Line = tuple[str, ...]
"""Names of bases, the weakest first."""
_SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class ReadBase:
    """A base with the places of its values."""

    base: ProfileBase
    data: YAMLData


def base_path(name: str) -> str:
    """The file of a base."""
    return f"{BASES}/{name}{_SUFFIX}"


def base_name(path: str) -> str:
    """The inverse of `base_path`."""
    return path.removeprefix(f"{BASES}/").removesuffix(_SUFFIX)


def read_base(path: str, content: bytes) -> ReadBase:
    """Raises UnreadableProfile."""
    if not path.endswith(_SUFFIX):
        raise UnreadableProfile(Problem(path, 0, 0, f"a base is called {BASES}/NAME{_SUFFIX}", "rename it", "path"))
    data = read_yaml(path, content)
    return ReadBase(validate(path, data, ProfileBase), data)


class Bases:
    """Every base of a revision, and what each of them extends."""

    def __init__(self, read: Mapping[str, ReadBase | None]) -> None:
        """`read` holds the bases by name; one that cannot be used, for a reason that was already given, is None."""
        self.read = read
        self.problems: list[Problem] = []
        """Unknown bases, cycles and lines that are too long, at the base that names them."""
        self._lines: dict[str, Line | None] = {}
        for name in sorted(read):
            self._find_line(name, ())

    def line(self, names: Iterable[str]) -> Line | None:
        """The bases of a file that extends `names`; None when one of them cannot be used."""
        found: list[str] = []
        for name in names:
            line = self._lines.get(name)
            if line is None:
                return None
            found += line
        return tuple(dict.fromkeys(found))

    def in_order(self, names: Iterable[str]) -> Iterator[ProfileBase]:
        """The bases of a file that extends `names`; raises UnreadableProfile, without a problem, as the base has it."""
        for name in self._usable(names):
            read = self.read[name]
            assert read is not None, "a base without content has no line"
            yield read.base

    def check(self, path: str, names: Line, data: YAMLData) -> None:
        """Raises UnreadableProfile when the file at `path` extends what is not there, or too much."""
        problems = [
            Problem(path, *data.place(("extends", number)), *self._unknown(name), "extends")
            for number, name in enumerate(names)
            if name not in self.read
        ]
        if not problems and len(self._usable(names)) > MAX_BASES:
            problems = [_too_many(path, data)]
        if problems:
            raise UnreadableProfile(*problems)

    def without_template(self, templates: Iterable[str]) -> Iterator[Problem]:
        """The bases whose template is none of `templates`."""
        known = frozenset(templates)
        for name, read in self.read.items():
            if read is not None and read.base.template is not None:
                template = read.base.template.removeprefix("templates/")
                if template not in known:
                    place = read.data.place(("template",))
                    yield Problem(base_path(name), *place, f"there is no templates/{template}", rule="template")

    def name_template(self, template: str) -> bool:
        """Whether a base names this template."""
        named = (read.base.template for read in self.read.values() if read is not None)
        return any(name is not None and name.removeprefix("templates/") == template for name in named)

    def _usable(self, names: Iterable[str]) -> Line:
        line = self.line(names)
        if line is None:
            raise UnreadableProfile
        return line

    def _find_line(self, name: str, trail: Line) -> Line | None:
        """The line of one base, itself last; `trail` is how it was come to. Recursion is bounded by MAX_BASES."""
        if name not in self._lines:
            read = self.read[name]
            self._lines[name] = None if read is None else self._make_line(name, read, (*trail, name))
        return self._lines[name]

    def _make_line(self, name: str, read: ReadBase, trail: Line) -> Line | None:
        line: dict[str, None] = {}
        usable = True
        for number, below in enumerate(read.base.extends):
            wrong = self._wrong(below, trail)
            if wrong is not None:
                self.problems.append(Problem(base_path(name), *read.data.place(("extends", number)), *wrong, "extends"))
            found = self._find_line(below, trail) if wrong is None else None
            usable = usable and found is not None
            line |= dict.fromkeys(found or ())
        line[name] = None
        if usable and len(line) > MAX_BASES:
            self.problems.append(_too_many(base_path(name), read.data))
            usable = False
        return tuple(line) if usable else None

    def _wrong(self, name: str, trail: Line) -> tuple[str, str] | None:
        """Why the last base of the trail cannot extend this one: message and hint."""
        if name not in self.read:
            return self._unknown(name)
        if name in trail:
            circle = (*trail[trail.index(name) :], name)
            return f"extends: {name!r} extends itself: {' → '.join(circle)}", "a base must not come back to itself"
        if len(trail) >= MAX_BASES:
            return f"extends: more than {MAX_BASES} bases, each extending the next", "put some of them together"
        return None

    def _unknown(self, name: str) -> tuple[str, str]:
        known = sorted(base for base, read in self.read.items() if read is not None)
        return f"extends: there is no {base_path(name)}", did_you_mean(base_name(name), known, "bases")


def _too_many(path: str, data: YAMLData) -> Problem:
    message = f"extends: more than {MAX_BASES} bases, with those that they extend"
    return Problem(path, *data.place(("extends",)), message, "put some of them together", "extends")
