"""The composition root: builds every part, wires it, runs it, stops it in order."""

from .server import CannotServe, Server
from .tags import phone_tags
from .trust import Signatures
from .views import iso
from .waiting import Goal

__all__ = ["CannotServe", "Goal", "Server", "Signatures", "iso", "phone_tags"]
