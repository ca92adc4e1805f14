"""A revision → presentity events in the log."""

from .differ import diff
from .folder import Folder
from .history import read_history, read_table_at
from .journal import Journal, read_table, replay
from .loading import Loaded, LoaderProcess, LoadStalled
from .reconciler import Outcome, Reconciler, Verdict
from .verify import Difference, compare, rebuild

__all__ = [
    "Difference",
    "Folder",
    "Journal",
    "LoadStalled",
    "Loaded",
    "LoaderProcess",
    "Outcome",
    "Reconciler",
    "Verdict",
    "compare",
    "diff",
    "read_history",
    "read_table",
    "read_table_at",
    "rebuild",
    "replay",
]
