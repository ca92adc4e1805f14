"""The native classes of the optional wheel are the Structs that they stand for (.ci/wheel/native.py).

Here they run interpreted; `.ci/run compiled` runs the notifier's tests with them compiled.
"""

import ast
import importlib
import inspect
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import msgspec
import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / ".ci" / "wheel" / "native.py"
SAMPLES: dict[type, Any] = {int: 7, float: 1.5, bytes: b"b", str: "s", bool: True}


def _load() -> ModuleType:
    spec = spec_from_file_location("native", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


native = _load()
INCLUDED = [
    path
    for path in sorted((ROOT / "gitops_profile" / "sip").rglob("*.py"))
    if path.name != "subscription_events.py" and "(msgspec.Struct" in path.read_text("utf-8")
]


def native_module(path: Path) -> dict[str, Any]:
    """What the native text of a module defines, run as Python."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    defined: dict[str, Any] = {
        "__name__": name, "__package__": name.rpartition(".")[0], "mypyc_attr": lambda **_: lambda cls: cls,
    }  # fmt: skip
    exec(compile(native.native(path.read_text("utf-8")), str(path), "exec"), defined)
    return defined


def structs_of(path: Path) -> list[type[msgspec.Struct]]:
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    return [one for one in found if one.__module__ == module.__name__]


def sample(kind: Any) -> Any:
    return SAMPLES.get(kind, ())


def test_there_are_some() -> None:
    assert len(INCLUDED) >= 12


@pytest.mark.parametrize("path", INCLUDED, ids=lambda path: path.stem)
def test_every_other_line_stays_where_it_is(path: Path) -> None:
    source = path.read_text("utf-8")
    before, after = source.split("\n"), native.native(source).split("\n")
    assert len(before) == len(after)
    assert after.count("@mypyc_attr(acyclic=True)") == source.count("(msgspec.Struct")
    gone = [line for line, other in zip(before, after, strict=True) if line != other and line.strip()]
    inside = {number for node in ast.parse(source).body if isinstance(node, ast.ClassDef) for number in _extent(node)}
    pairs = enumerate(zip(before, after, strict=True), 1)
    changed = {n for n, (line, other) in pairs if line != other and ": Final" not in other}
    assert gone and all(n in inside or not before[n - 1] or before[n - 1] == "import msgspec" for n in changed)


def _extent(node: ast.ClassDef) -> range:
    methods = [one.lineno for one in node.body if isinstance(one, ast.FunctionDef)]
    return range(node.lineno, (min(methods) if methods else node.end_lineno or 0) + 1)


@pytest.mark.parametrize("path", INCLUDED, ids=lambda path: path.stem)
def test_they_are_made_shown_and_compared_as_the_structs(path: Path) -> None:
    defined = native_module(path)
    for struct in structs_of(path):
        twin = defined[struct.__name__]
        assert twin.__match_args__ == struct.__struct_fields__
        assert {*vars(twin)} >= {name for name, one in vars(struct).items() if inspect.isfunction(one)}
        hints = get_type_hints(struct)
        values = [sample(hints[name]) for name in struct.__struct_fields__]
        needed = len(values) - len(struct.__struct_defaults__)
        if "__str__" not in vars(struct):
            assert repr(twin(*values)) == repr(struct(*values))
        for name in struct.__struct_fields__[needed:]:
            given = values[:needed]
            assert _plain(getattr(twin(*given), name)) == _plain(getattr(struct(*given), name)), name
        for wrong in ([*values, None], *([values[: needed - 1]] if needed else [])):
            with pytest.raises(TypeError):
                twin(*wrong)
        others = [*values[:-1], object()]
        compared = struct.__struct_config__.eq
        assert (twin(*values) == twin(*values)) is compared is (struct(*values) == struct(*values))
        assert twin(*values) != twin(*others) and twin(*values) != tuple(values)
        assert _hashed(twin, values) == _hashed(struct, values)


def _plain(value: object) -> tuple[str, object]:
    """Something that two of the same have in common, though their classes are defined twice."""
    return type(value).__name__, value if isinstance(value, str | bytes | int | float | list) else None


def _hashed(kind: Any, values: list[Any]) -> object:
    """Whether two of the same values are one in a set, or cannot be in one."""
    try:
        return len({kind(*values), kind(*values)})
    except TypeError:
        return None


def test_what_is_made_for_each_is_not_shared() -> None:
    request = native_module(ROOT / "gitops_profile" / "sip" / "syntax" / "message.py")["Request"]
    one, other = request("SUBSCRIBE", "sip:a@b"), request("SUBSCRIBE", "sip:a@b")
    assert one.headers is not other.headers and one.vias is not other.vias and one.vias == []


HEAD = "import x\n\nimport msgspec\n\n\n"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("class A(msgspec.Struct):\n    a: int\n", "gc=False"),
        ("class A(msgspec.Struct, gc=False, array_like=True):\n    a: int\n", "is known how to write"),
        ("class A(B, msgspec.Struct, gc=False):\n    a: int\n", "is known how to write"),
        ("class A(msgspec.Struct, gc=False):\n    def f(self) -> None: ...\n    a: int\n", "after a method"),
        ('class A(msgspec.Struct, gc=False):\n    """Nothing."""\n', "no fields"),
        ("class A(msgspec.Struct, gc=False):\n    a: int\n", "no room"),
        (
            "y = 1\n\nclass A(msgspec.Struct, gc=False):\n    a: int\n    b: int\n    c: int\n    d: int\n    e: int\n",
            "line 6",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(source: str, says: str) -> None:
    with pytest.raises(native.NotNative, match=says):
        native.native(HEAD + source)


@pytest.mark.parametrize(
    ("line", "final"),
    [
        ("MAX = 1", "MAX: Final = 1"),
        ("_LINE = 4 * MAX + 1", "_LINE: Final = 4 * MAX + 1"),
        ("_P = re.compile(", "_P: Final = re.compile("),
        ("KNOWN: dict[str, int] = {}", "KNOWN: Final[dict[str, int]] = {}"),
        ("Message = Request | Response", None),
        ("Call = Callable[[int], None]", None),
        ("Other = Request", None),
        ('T = TypeVar("T")', None),
        ("__version__ = 1", None),
    ],
)
def test_what_stands_for_a_value_is_final_and_what_stands_for_a_type_is_not(line: str, final: str | None) -> None:
    end = "" if not line.endswith("(") else "\n    1\n)"
    made = native.native(f'"""About."""\n\nimport re\n\n{line}{end}\n')
    if final is None:
        assert made == f'"""About."""\n\nimport re\n\n{line}{end}\n'
    else:
        assert made == f'"""About."""\nfrom typing import Final\nimport re\n\n{final}{end}\n'


def test_a_module_without_structs_and_constants_stays_as_it_is() -> None:
    assert native.native("class A:\n    a: int = 1\n") == "class A:\n    a: int = 1\n"
