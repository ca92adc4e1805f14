"""Git, read-only; the only room that runs git."""

from .dates import parse_date
from .errors import NotARepository, PathNotFound, SourceUnavailable
from .repository import Changes, FileEntry, Repository
from .revision import Revision
from .tracker import RefGone, RefTracker

__all__ = [
    "Changes",
    "FileEntry",
    "NotARepository",
    "PathNotFound",
    "RefGone",
    "RefTracker",
    "Repository",
    "Revision",
    "SourceUnavailable",
    "parse_date",
]
