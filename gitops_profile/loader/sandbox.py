"""The Jinja2 environment of templates: data in, text out, within bounds of memory, and the same on every run.

Everything that makes text or lists, and every turn of a loop that does, is charged to one allowance per document. Loops
cannot be left out: a template that doubles a text, or nests loops, needs no long text of its own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from functools import wraps
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType
from typing import Any, NoReturn

from jinja2 import Template, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import make_attrgetter
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

MAX_WORK = 8 << 20
"""Characters and items that one document may make on its way, and STEP for each turn and call."""
STEP = 8
_MAX_NUMBER = 10**9
_MAX_EXPONENT = 16
_MAX_ARGUMENT = 1000
# Not there at all: they pad to any width, or make two renderings differ.
_FILTERS_GONE = ("random", "center", "indent", "format", "urlize", "pprint")
# Their numbers say how much is made.
_SIZED = frozenset({"batch", "round", "slice", "tojson", "wordwrap"})
# They write what they are given, whatever it is, and so are given data only.
_WRITING = frozenset(
    "capitalize e escape forceescape lower replace safe string striptags title trim truncate upper wordcount "
    "wordwrap xmlattr".split()
)
_TEXT_METHODS = frozenset(
    "capitalize casefold count endswith find isalnum isalpha isascii isdecimal isdigit islower isnumeric isspace "
    "isupper lower lstrip partition removeprefix removesuffix rfind rpartition rsplit rstrip split splitlines "
    "startswith strip swapcase title upper".split()
)
_WIDE_FORMAT = re.compile(r"%\(|%[^%a-zA-Z]*(\*|\d{4})")
_NUMBER_METHODS = frozenset({"is_integer"})
_DICT_ATTRIBUTES = frozenset(dir(dict))
_LOOP_NUMBERS = frozenset({"index", "index0", "first"})


class Made(str):
    """Text that a block or macro made: its values have been looked at one by one."""

    __slots__ = ()


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox with bounds."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._work = 0
        for name in _FILTERS_GONE:
            self.filters.pop(name, None)
        self.globals.pop("lipsum", None)
        self.filters = {name: self._bounded(name, function) for name, function in self.filters.items()}
        self.filters["string"] = self._bounded("string", lambda value: value if isinstance(value, str) else text(value))
        self.filters["replace"] = self._bounded("replace", self._bounded_replace(self.filters["replace"]))
        self.filters["join"] = self._bounded("join", self._bounded_join(self.filters["join"]))
        self.filters["urlencode"] = self._bounded("urlencode", self._bounded_urlencode(self.filters["urlencode"]))
        self.filters[_EACH] = self._each
        self.filters[_KEPT] = self._bounded(_KEPT, lambda value: value)
        self.concat = self._concat  # type: ignore[method-assign]  # a class attribute there, ours counts

    def begin(self) -> None:
        """A document begins: its allowance is whole again."""
        self._work = 0

    def charge(self, amount: int) -> None:
        """Raises SecurityError when a document has needed too much."""
        self._work += amount
        if self._work > MAX_WORK:
            raise SecurityError("it needs too much memory or too many turns")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`+` and `"%02d" % n` within the allowance, the others for small numbers only."""
        if operator == "+":
            if isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
                self.charge(len(left) + len(right))
        elif operator == "%" and isinstance(left, str):
            if _WIDE_FORMAT.search(left):
                raise SecurityError("a width may have three digits at most, and values have no names here")
            self.charge(len(left) + left.count("%") * _MAX_ARGUMENT + written_extent(right))
        elif not all(isinstance(n, int | float) and abs(n) < _MAX_NUMBER for n in (left, right)):
            raise SecurityError(f"{operator} is only for numbers below {_MAX_NUMBER}")
        elif operator == "**" and abs(right) > _MAX_EXPONENT:
            raise SecurityError(f"an exponent may be {_MAX_EXPONENT} at most")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Of texts and numbers, only what makes nothing longer than they are."""
        if isinstance(obj, str):
            return attr in _TEXT_METHODS
        if isinstance(obj, int | float):
            return attr in _NUMBER_METHODS
        return super().is_safe_attribute(obj, attr, value)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`a.b` of data, and of a loop's number, without the questions that its answer does not depend on.

        A mapping is asked for its own attributes first, as Jinja2 does. 0.3 µs in place of 0.8, and of 2.6 in a loop.
        """
        if type(obj) is dict and attribute not in _DICT_ATTRIBUTES:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if type(obj) is LoopContext and attribute in _LOOP_NUMBERS:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Each template's own: ours do not change, and Jinja2's ChainMap is copied twice for each document (6 µs)."""
        return {**self.globals, **(d or {})}

    def wrap_str_format(self, value: Any) -> None:
        """Python's `format` is not offered: its widths have no bound."""
        return None

    def call(self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """A call costs a step, and the text it works on."""
        owner = getattr(__obj, "__self__", None)
        self.charge(STEP + (len(owner) if isinstance(owner, str) else 0))
        return super().call(__context, __obj, *args, **kwargs)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return _Rewrite(self).visit(super()._parse(source, name, filename))  # type: ignore[no-any-return]

    def _concat(self, pieces: Iterable[str]) -> str:
        kept = []
        for piece in pieces:
            self.charge(len(piece) + 1)
            kept.append(piece)
        return Made("".join(kept))

    def _each(self, values: Any) -> Any:
        """What a loop goes through, its turns charged as they come."""
        if isinstance(values, Undefined):
            return values  # says itself what is missing
        return _Turns(values, self) if hasattr(values, "__len__") else self._counted(values)

    def _counted(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self.charge(STEP)
            yield value

    def _bounded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        first = 1 if hasattr(function, "jinja_pass_arg") else 0
        measured = written_extent if name in _WRITING else extent

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = (*args[first:], *kwargs.values())
            size = sum(map(measured, given))
            if name in _SIZED:
                size += self._sized(name, given)
            self.charge(STEP + size)
            result = function(*args, **kwargs)
            if isinstance(result, GeneratorType):
                return self._counted(result)
            self.charge(extent(result) if isinstance(result, str | list | tuple) else 0)
            return result

        return call

    @staticmethod
    def _sized(name: str, given: tuple[Any, ...]) -> int:
        options = [n for n in given[1:] if isinstance(n, int | str)]
        largest = max((len(n) if isinstance(n, str) else abs(n) for n in options), default=0)
        if largest > (_MAX_EXPONENT if name == "round" else _MAX_ARGUMENT):
            raise SecurityError(f"the filter {name} with {largest} makes too much")
        return extent(given[0]) * max(1, largest)

    def _bounded_replace(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def replace(context: Any, value: Any, old: Any, new: Any, count: int | None = None) -> Any:
            self.charge(str(value).count(str(old)) * len(str(new)))
            return function(context, value, old, new, count)

        return replace

    def _bounded_join(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def join(context: Any, value: Any, d: Any = "", attribute: Any = None) -> Any:
            values = list(value)
            written_extent(d)
            size = len(values) * (len(str(d)) + 1)
            if attribute is None:
                self.charge(size + sum(extent(each) for each in values))
                return function(context, [text(v) for v in values], d)
            values = list(map(make_attrgetter(self, attribute), values))
            self.charge(size + sum(written_extent(each) for each in values))
            return function(context, values, d)

        return join

    def _bounded_urlencode(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def urlencode(value: Any) -> Any:
            pairs = isinstance(value, Iterable) and not isinstance(value, str | dict | Undefined)
            value = list(value) if pairs else value
            self.charge(written_extent(value))
            return function(value)

        return urlencode


class _Turns:
    """A sequence whose turns are charged; it still knows its length, so that nothing need be copied."""

    def __init__(self, values: Any, sandbox: Sandbox) -> None:
        self._values, self._sandbox = values, sandbox

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return self._sandbox._counted(self._values)


# No names that a template could write.
_EACH = " each"
_KEPT = " kept"


# A loop without any of them needs no memory, only time, and that is bounded by whoever runs the loader.
_MAKING = (
    nodes.Output,
    nodes.Include,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.Block,
)


class _Rewrite(NodeTransformer):
    """`a ~ b` becomes a join, `for x in y` and `x[a:b]` count: Jinja2 offers no place to look at them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return self._filter(nodes.List(node.nodes, lineno=node.lineno), "join")

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        if any(True for _ in node.find_all(_MAKING)):
            node.iter = self._filter(node.iter, _EACH)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        return self._filter(node, _KEPT) if isinstance(node.arg, nodes.Slice) else node

    def _filter(self, node: nodes.Node, name: str) -> nodes.Filter:
        made = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
        made.set_environment(self._sandbox)
        return made


_DATA = frozenset({str, Markup, Made, int, float, bool, type(None)})
"""What the YAML reader makes, and templates; lists, tuples and mappings of it besides."""
_FUNCTIONS = (BuiltinFunctionType, FunctionType, MethodType, type, Template)
_CALLED = (*_FUNCTIONS, Macro, BlockReference, Joiner)


def text(value: Any) -> Any:
    """A value as configuration files write it: nothing for null, true and false in lower case.

    Raises SecurityError for what is no data; Python writes it with an address, another one each time.
    """
    if isinstance(value, str | Undefined):
        return value
    if type(value) is int:
        return str(value)
    if value is None:
        return ""
    written_extent(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def extent(value: Any) -> int:
    """Characters and items of a value when it is written out; raises SecurityError when that is too much."""
    total = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, list | tuple):
            waiting += item
            total += 1
        elif isinstance(item, dict):
            waiting += item.values()
            total += 1 + sum(len(str(key)) for key in item)
        elif isinstance(item, _FUNCTIONS):
            _refuse(item)
        else:
            total += 1
        if total > MAX_WORK or len(waiting) > MAX_WORK:
            raise SecurityError("a value is too large")
    return total


def written_extent(value: Any) -> int:
    """The same of a value that is written: raises SecurityError also for what is no data, wherever it is inside."""
    if type(value) in _DATA:
        return len(value) if isinstance(value, str) else 1
    if isinstance(value, Undefined):
        return 1  # says itself what is missing
    total = extent(value)
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) in _DATA:
            continue
        if isinstance(item, list | tuple):
            waiting += item
        elif isinstance(item, dict):
            waiting += item
            waiting += item.values()
        elif isinstance(item, Undefined):
            str(item)  # raises what it says; in a list it would be written as "Undefined"
        else:
            _refuse(item)
    return total


def _refuse(value: Any) -> NoReturn:
    """Say what is to be written in place of something that is no data."""
    if isinstance(value, _CALLED):
        raise SecurityError("a function is no value: call it with ()")
    if isinstance(value, Cycler):
        raise SecurityError("a cycler is no value: write its .next() or .current")
    if isinstance(value, Iterable) and not isinstance(value, LoopContext):
        raise SecurityError("a list that is not made yet cannot be written: use join or list")
    raise SecurityError(f"a {type(value).__name__} is no value: write something that it holds")
