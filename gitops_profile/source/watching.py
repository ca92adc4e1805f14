"""Watching where refs are kept."""

from collections.abc import Callable

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

__all__ = ["Observer", "RefHandler"]

_MOVES = frozenset({"created", "modified", "moved", "deleted"})


class RefHandler(FileSystemEventHandler):
    """Runs in watchdog's thread: forwards what can have moved a ref, and nothing that reading causes."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _MOVES:
            return
        for path in (event.src_path, event.dest_path):
            text = path if isinstance(path, str) else path.decode("utf-8", "surrogateescape")
            if "/refs/" in text or text.endswith(("/refs", "/packed-refs", "/HEAD", "/tables.list")):
                if not text.endswith(".lock"):
                    self._moved()
                    return
