"""A folder's door that imports a module when somebody asks for a name of it, so that nobody waits for the others."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def late_names(package: str, places: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package (PEP 562), by full name, whose names are in these modules of it.

    A name that was asked for is the package's own from then on. It raises AttributeError for one that is nowhere.
    """

    def find(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(f".{places[name]}", package), name)
        setattr(sys.modules[package], name, found)
        return found

    return find
