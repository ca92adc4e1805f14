"""The composition root: builds every part, wires it, runs it, stops it in order.

A name is looked up when it is asked for: `history` wants two small ones, and importing a server takes 0.3 s.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import CannotServe, Server
    from .stage import Goal
    from .tags import phone_tags
    from .trust import Signatures
    from .views import iso
else:
    _PLACES = {
        "CannotServe": "server",
        "Goal": "stage",
        "Server": "server",
        "Signatures": "trust",
        "iso": "views",
        "phone_tags": "tags",
    }

    def __getattr__(name: str) -> object:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_PLACES[name]}", __name__), name)


__all__ = ["CannotServe", "Goal", "Server", "Signatures", "iso", "phone_tags"]
