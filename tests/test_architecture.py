"""Imports flow one way (docs/architecture.md): rooms import what the table allows, and the pure ones touch no machine.

The installed package is read, so the same test holds for a wheel.
"""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import gitops_profile

PACKAGE = "gitops_profile"
ROOT = Path(gitops_profile.__file__).parent

EVERYTHING = (
    "access admin_client config devices digest door event_packages eventlog forge http inventory loader log_lines "
    "metrics plan pnp presentity processes push reconcile sip source state subscriptions transport windows workers"
)
# room: the rooms it may import. A room that is not here has not been thought about.
MAY_IMPORT = {
    "door": "",
    "presentity": "",
    "source": "door processes",
    "eventlog": "",
    "metrics": "",
    "admin_client": "",
    "digest": "",
    "forge": "",
    "config": "presentity",
    "state": "",
    "sqlite_trouble": "",
    "processes": "",
    "log_lines": "",
    "devices": "presentity",
    "inventory": "sqlite_trouble devices presentity",
    "pnp": "sip devices",
    "push": "access sip digest presentity devices",
    "sip": "digest presentity",
    "access": "sip digest presentity",
    "windows": "presentity",
    "loader": "door presentity devices windows",
    "plan": "loader presentity devices windows",
    "event_packages": "sip presentity devices",
    "transport": "sip metrics",
    "workers": "processes sip transport",
    "http": "door admin_client presentity metrics digest forge devices",
    "subscriptions": "sqlite_trouble processes sip",
    "reconcile": "door processes source loader presentity eventlog metrics",
    "phone": "devices sip transport event_packages presentity digest",
    "console": "presentity eventlog sip loader reconcile",
    "server": EVERYTHING,
    "__main__": "cli",
    "cli": f"{EVERYTHING} console phone server",
}
PURE_ROOMS = set("access devices digest event_packages forge loader plan pnp presentity push sip windows".split())
PURE_MODULES = {"reconcile.differ", "eventlog.segment", "workers.owner", "workers.frames", "workers.rows"}
IMPURE = {"asyncio", "socket", "ssl", "subprocess", "threading", "os", "time", "random", "secrets", "logging"}

Imports = Mapping[str, set[str]]
"""Module, without the package's name: the full names it imports."""


def imported_names(source: str, module: str, *, is_package: bool) -> Iterator[str]:
    """The full dotted names `module` imports anywhere in `source`; relative ones resolved.

    `from x import y` gives `x.y`, which is a module or something in one.
    """
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def read_package() -> dict[str, set[str]]:
    """Every module of the package with its imports. A folder's `__init__` goes by the folder's name."""
    modules = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        full = f"{PACKAGE}.{name}" if name else PACKAGE
        modules[name] = set(imported_names(path.read_text(encoding="utf-8"), full, is_package=is_package))
    return modules


def ours(module: str, imports: Imports) -> set[str]:
    """The modules of the package that `module` imports itself."""
    found = set()
    for name in imports[module]:
        if not name.startswith(f"{PACKAGE}."):
            continue
        inner = name.removeprefix(f"{PACKAGE}.")
        found.add(inner if inner in imports else inner.rpartition(".")[0])
    return found - {module, ""}


def room(module: str) -> str:
    return module.partition(".")[0]


def forbidden_imports(imports: Imports, may_import: Mapping[str, str]) -> list[str]:
    """What crosses a wall that the table does not open."""
    return [
        f"{module} imports {target}"
        for module in sorted(imports)
        for target in sorted(ours(module, imports))
        if module and room(target) != room(module) and room(target) not in may_import.get(room(module), "").split()
    ]


def back_doors(imports: Imports) -> list[str]:
    """Imports of another room that do not go through the door of one of its folders."""
    packages = {name.rpartition(".")[0] for name in imports}
    return [
        f"{module} imports {target}"
        for module in sorted(imports)
        for target in sorted(ours(module, imports))
        if room(target) != room(module) and "." in target and target not in packages
    ]


def impure_imports(imports: Imports) -> list[str]:
    """What in a pure module reaches for the machine."""
    return [
        f"{module} imports {name}"
        for module in sorted(imports)
        if room(module) in PURE_ROOMS or module in PURE_MODULES
        for name in sorted(imports[module])
        if name.partition(".")[0] in IMPURE
    ]


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """The first circle found, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def module_graph(imports: Imports) -> dict[str, set[str]]:
    return {module: ours(module, imports) for module in imports}


def test_every_room_is_in_the_table() -> None:
    assert {room(module) for module in read_package()} - {"", "__main__"} <= set(MAY_IMPORT)


def test_the_table_itself_has_no_cycle() -> None:
    assert cycle({name: set(allowed.split()) for name, allowed in MAY_IMPORT.items()}) == []


def test_rooms_import_only_what_the_table_allows() -> None:
    assert forbidden_imports(read_package(), MAY_IMPORT) == []


def test_other_rooms_are_entered_by_their_door() -> None:
    assert back_doors(read_package()) == []


def test_pure_rooms_import_no_machine() -> None:
    assert impure_imports(read_package()) == []


def test_modules_import_each_other_without_a_cycle() -> None:
    assert cycle(module_graph(read_package())) == []


def test_no_module_is_named_for_what_it_is_not() -> None:
    assert {m.rpartition(".")[2] for m in read_package()}.isdisjoint({"utils", "util", "helpers", "common", "misc"})


# The checks themselves: each must see what it is there for.

BROKEN = {
    "": set[str](),
    "sip": {"gitops_profile.sip.dialog.Dialog"},
    "sip.dialog": {"gitops_profile.sip.timers.T1", "os.path"},
    "sip.timers": {"gitops_profile.sip.dialog.Dialog", "gitops_profile.metrics.Metrics"},
    "transport": {"gitops_profile.sip.dialog.Dialog", "gitops_profile.sip.Dialog"},
    "metrics": set[str](),
}


def test_a_forbidden_import_is_seen() -> None:
    assert forbidden_imports(BROKEN, MAY_IMPORT) == ["sip.timers imports metrics"]


def test_a_back_door_is_seen() -> None:
    assert back_doors(BROKEN) == ["transport imports sip.dialog"]


def test_an_impure_import_is_seen() -> None:
    assert impure_imports(BROKEN) == ["sip.dialog imports os.path"]


def test_a_cycle_is_seen() -> None:
    assert set(cycle(module_graph(BROKEN))) == {"sip.dialog", "sip.timers"}


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("import gitops_profile.metrics", "gitops_profile.metrics"),
        ("from gitops_profile.metrics import Metrics", "gitops_profile.metrics.Metrics"),
        ("from gitops_profile import metrics", "gitops_profile.metrics"),
        ("from .via import Via", "gitops_profile.sip.syntax.via.Via"),
        ("from . import via", "gitops_profile.sip.syntax.via"),
        ("from ..dialog import Dialog", "gitops_profile.sip.dialog.Dialog"),
        ("def late():\n    import os", "os"),
    ],
)
def test_every_form_of_import_is_resolved(statement: str, name: str) -> None:
    assert list(imported_names(statement, "gitops_profile.sip.syntax.message", is_package=False)) == [name]


def test_relative_names_in_a_door_start_from_the_folder_itself() -> None:
    names = imported_names("from .via import Via", "gitops_profile.sip.syntax", is_package=True)
    assert list(names) == ["gitops_profile.sip.syntax.via.Via"]
