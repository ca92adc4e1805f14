"""What mypyc makes fast, for the optional wheel: source text in, source text out, every line where it was.

Interpreted, a Struct of msgspec is the fastest record there is, and the lightest. Compiled code looks its attributes up
by name, though, where those of a native class are a place in memory. So the wheel has the same class written as mypyc
wants it. In the same way a module's constants are places when they are Final, and looked up by name when not: 85 times
for a fetch.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_IMPORTS = (
    "from typing import TYPE_CHECKING, ClassVar, Final, final",
    # Compiled, the decorator is gone.
    "if TYPE_CHECKING: from mypy_extensions import mypyc_attr",
)
_FINAL = ("from typing import Final",)
# What a Struct with `gc=False` is: not looked at by the garbage collector.
_DECORATORS = ("@mypyc_attr(acyclic=True)", "@final")
_FACTORY = "msgspec.field(default_factory="
_OPTIONS = {"frozen", "eq", "gc"}


class NotNative(Exception):
    """A Struct that cannot be written as a native class."""


@dataclass(frozen=True)
class _Field:
    name: str
    type: str
    default: str | None

    @property
    def made(self) -> str | None:
        """What makes the default, where each object gets one of its own."""
        if self.default is not None and self.default.startswith(_FACTORY):
            return f"{self.default[len(_FACTORY) : -1]}()"
        return self.default if self.default in ("[]", "{}") else None

    @property
    def parameter(self) -> str:
        if self.made is not None:
            return f"{self.name}: {self.type} | None = None"
        return f"{self.name}: {self.type}" + ("" if self.default is None else f" = {self.default}")

    @property
    def assignment(self) -> str:
        value = self.name if self.made is None else f"{self.made} if {self.name} is None else {self.name}"
        return f"self.{self.name}: {self.type} = {value}"


def native(source: str) -> str:
    """The module with native classes in place of its Structs, and its constants final; raises NotNative."""
    lines = source.split("\n")
    module = ast.parse(source)
    constants = [node for node in module.body if isinstance(node, ast.Assign | ast.AnnAssign) and _is_constant(node)]
    for constant in constants:
        _make_final(constant, lines)
    structs = [node for node in module.body if isinstance(node, ast.ClassDef) and _is_struct(node)]
    for struct in structs:
        _rewrite(struct, lines)
    if structs:
        place = lines.index("import msgspec")
        lines[place] = ""
        _put_where_empty(_IMPORTS, lines, place - 1)
    elif constants:
        _put_where_empty(_FINAL, lines, module.body[0].end_lineno or 0)
    return "\n".join(lines)


def _is_constant(node: ast.Assign | ast.AnnAssign) -> bool:
    """Whether a name stands for a value, and no type."""
    value, target = node.value, node.targets[0] if isinstance(node, ast.Assign) else node.target
    if not isinstance(target, ast.Name) or target.id.startswith("__"):
        return False
    if isinstance(value, ast.Call):
        return ast.unparse(value.func) not in ("TypeVar", "NewType")
    if isinstance(value, ast.BinOp):
        return not isinstance(value.op, ast.BitOr)
    return isinstance(value, ast.Constant | ast.JoinedStr | ast.Dict | ast.Set | ast.Tuple | ast.List)


def _make_final(node: ast.Assign | ast.AnnAssign, lines: list[str]) -> None:
    line = lines[node.lineno - 1]
    if isinstance(node, ast.Assign):
        name = ast.unparse(node.targets[0])
        lines[node.lineno - 1] = f"{name}: Final{line[len(name) :]}"
        return
    begin, end = node.annotation.col_offset, node.annotation.end_col_offset
    lines[node.lineno - 1] = f"{line[:begin]}Final[{line[begin:end]}]{line[end:]}"


def _is_struct(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base) == "msgspec.Struct" for base in node.bases)


def _rewrite(struct: ast.ClassDef, lines: list[str]) -> None:
    options: dict[str, Any] = {str(one.arg): ast.literal_eval(one.value) for one in struct.keywords}
    if len(struct.bases) != 1 or struct.decorator_list or not options.keys() <= _OPTIONS or options.get("gc", True):
        raise NotNative(f"{struct.name}: only a Struct with gc=False, and frozen or eq, is known how to write")
    fields, end = _fields(struct)
    # The class's docstring and its fields make room for what a Struct has of itself.
    _put([f"class {struct.name}:"], lines, struct.lineno - 1, struct.body[0].lineno - 1)
    _put_where_empty(_DECORATORS, lines, struct.lineno - 3)
    _put([f"    {line}" for line in _methods(struct.name, fields, options)], lines, struct.body[0].lineno - 1, end)


def _fields(struct: ast.ClassDef) -> tuple[list[_Field], int]:
    """The fields, which come before all methods, and the line where they and what is said of them end."""
    fields, end = [], 0
    for place, item in enumerate(struct.body):
        if isinstance(item, ast.AnnAssign):
            default = None if item.value is None else ast.unparse(item.value)
            fields.append(_Field(ast.unparse(item.target), ast.unparse(item.annotation), default))
        elif not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)):
            if any(isinstance(later, ast.AnnAssign) for later in struct.body[place:]):
                raise NotNative(f"{struct.name}: a field comes after a method")
            break
        end = item.end_lineno or 0
    if not fields:
        raise NotNative(f"{struct.name}: it has no fields")
    return fields, end


def _methods(name: str, fields: list[_Field], options: dict[str, Any]) -> list[str]:
    """One line each."""
    names = [field.name for field in fields]
    made = [
        f"__match_args__: ClassVar[tuple[str, ...]] = ({', '.join(map(repr, names))},)",
        f"def __init__(self, {', '.join(field.parameter for field in fields)}) -> None: "
        + "; ".join(field.assignment for field in fields),
        f'def __repr__(self) -> str: return f"{name}({", ".join(f"{n}={{self.{n}!r}}" for n in names)})"',
    ]
    if options.get("eq", True):
        same = " and ".join(f"self.{n} == other.{n}" for n in names)
        made.append(f"def __eq__(self, other: object) -> bool: return isinstance(other, {name}) and {same}")
        if options.get("frozen", False):
            made.append(f"def __hash__(self) -> int: return hash(({', '.join(f'self.{n}' for n in names)},))")
    return made


def _put_where_empty(new: Sequence[str], lines: list[str], begin: int) -> None:
    """Lines in place of as many that have nothing, or a comment; raises NotNative."""
    for number in range(begin, begin + len(new)):
        if lines[number].strip() and not lines[number].startswith("#"):
            raise NotNative(f"line {number + 1}: it was to be empty")
    _put(new, lines, begin, begin + len(new))


def _put(new: Sequence[str], lines: list[str], begin: int, end: int) -> None:
    """Lines in place of those from `begin` to before `end`, and as many; raises NotNative when there is no room."""
    if len(new) > end - begin:
        raise NotNative(f"line {begin + 1}: no room for {len(new)} lines")
    lines[begin:end] = [*new, *[""] * (end - begin - len(new))]
