"""The composition root: builds every part, wires it, runs it, stops it in order."""

from .server import CannotServe, Server
from .source import repository_folder
from .state import StateFolder

__all__ = ["CannotServe", "Server", "StateFolder", "repository_folder"]
