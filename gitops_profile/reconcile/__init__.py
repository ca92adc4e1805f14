"""A revision → presentity events in the log."""

from .differ import diff
from .folder import Folder
from .history import read_history, read_table_at
from .journal import Journal, read_table, replay
from .loading import Loaded, LoaderProcess, LoadStalled
from .reconciler import Outcome, Reconciler, Verdict
from .superseded import MAX_SUPERSEDED
from .suspending import NoSuchScope, Suspending
from .suspension import ALL
from .verify import Difference, compare, held_back, rebuild

__all__ = [
    "ALL",
    "MAX_SUPERSEDED",
    "Difference",
    "Folder",
    "Journal",
    "LoadStalled",
    "Loaded",
    "LoaderProcess",
    "NoSuchScope",
    "Outcome",
    "Reconciler",
    "Suspending",
    "Verdict",
    "compare",
    "diff",
    "held_back",
    "read_history",
    "read_table",
    "read_table_at",
    "rebuild",
    "replay",
]
