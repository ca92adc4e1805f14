"""The composition root: builds every part, wires it, runs it, stops it in order."""

from .server import CannotServe, Server
from .state import StateFolder
from .waiting import Goal

__all__ = ["CannotServe", "Goal", "Server", "StateFolder"]
