"""The command line: reads arguments, prints, exits. The only room that does."""

from .app import main

__all__ = ["main"]
