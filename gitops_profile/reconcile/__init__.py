"""A revision → presentity events in the log.

A name is looked up when it is asked for: some of them are for the command line only.
"""

from typing import TYPE_CHECKING

from gitops_profile.door import late_names

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
    __getattr__ = late_names(
        __name__,
        {
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
        },
    )

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
