"""The composition root: builds every part, wires it, runs it, stops it in order."""

from .server import CannotServe, Server
from .tags import phone_tags
from .views import iso
from .waiting import Goal

__all__ = ["CannotServe", "Goal", "Server", "iso", "phone_tags"]
