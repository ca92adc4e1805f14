"""The composition root: builds every part, wires it, runs it, stops it in order."""

from .server import CannotServe, Server
from .source import repository_folder
from .state import StateFolder
from .tags import phone_tags
from .trust import Signatures
from .views import iso
from .waiting import Goal

__all__ = ["CannotServe", "Goal", "Server", "Signatures", "StateFolder", "iso", "phone_tags", "repository_folder"]
