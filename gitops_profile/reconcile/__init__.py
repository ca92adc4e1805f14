"""A revision → presentity events in the log.

A name is looked up when it is asked for: some of them are for the command line only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .approval import NotHeld, approve
    from .differ import diff
    from .folder import Folder
    from .followed import FollowedTable
    from .guard import Rewrites
    from .history import read_history, read_table_at
    from .journal import Journal, read_table, replay
    from .loading import Loaded, LoaderProcess, LoadStalled
    from .reconciler import Outcome, Reconciler, Verdict
    from .superseded import MAX_SUPERSEDED
    from .suspending import EVERYTHING, NoSuchScope, Suspending
    from .suspension import ALL
    from .trust import Trust, Unseen
    from .verify import Difference, compare, held_back, rebuild
else:
    _PLACES = {
        "ALL": "suspension",
        "Difference": "verify",
        "EVERYTHING": "suspending",
        "Folder": "folder",
        "FollowedTable": "followed",
        "Journal": "journal",
        "LoadStalled": "loading",
        "Loaded": "loading",
        "LoaderProcess": "loading",
        "MAX_SUPERSEDED": "superseded",
        "NoSuchScope": "suspending",
        "NotHeld": "approval",
        "Outcome": "reconciler",
        "Reconciler": "reconciler",
        "Rewrites": "guard",
        "Suspending": "suspending",
        "Trust": "trust",
        "Unseen": "trust",
        "Verdict": "reconciler",
        "approve": "approval",
        "compare": "verify",
        "diff": "differ",
        "held_back": "verify",
        "read_history": "history",
        "read_table": "journal",
        "read_table_at": "history",
        "rebuild": "verify",
        "replay": "journal",
    }

    def __getattr__(name: str) -> object:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f".{_PLACES[name]}", __name__), name)
        globals()[name] = found
        return found


__all__ = [
    "ALL",
    "EVERYTHING",
    "MAX_SUPERSEDED",
    "Difference",
    "Folder",
    "FollowedTable",
    "Journal",
    "LoadStalled",
    "Loaded",
    "LoaderProcess",
    "NotHeld",
    "NoSuchScope",
    "Outcome",
    "Reconciler",
    "Rewrites",
    "Suspending",
    "Trust",
    "Unseen",
    "Verdict",
    "approve",
    "compare",
    "diff",
    "held_back",
    "read_history",
    "read_table",
    "read_table_at",
    "rebuild",
    "replay",
]
