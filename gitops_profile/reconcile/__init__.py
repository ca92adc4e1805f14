"""A revision → presentity events in the log."""

from .differ import diff
from .journal import Journal, replay
from .loading import LoaderProcess, LoadStalled
from .reconciler import Outcome, Reconciler, Verdict
from .verify import Difference, compare, rebuild

__all__ = [
    "Difference",
    "Journal",
    "LoadStalled",
    "LoaderProcess",
    "Outcome",
    "Reconciler",
    "Verdict",
    "compare",
    "diff",
    "rebuild",
    "replay",
]
