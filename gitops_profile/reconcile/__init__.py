"""A revision → presentity events in the log."""

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
