"""Git; the only room that runs it. Read-only but for `Reverter`, which no server calls, and a server's own clone."""

from .access import RemoteAccess
from .address import RemoteAddress, parse_address
from .clone import Clone, CloneSettings, FetchReport
from .dates import parse_date
from .errors import NotARepository, PathNotFound, SourceUnavailable
from .repository import Changes, FileEntry, Repository
from .revert import CannotRevert, FileAt, RevertConflict, Reverter
from .revision import Revision
from .tracker import RefGone, RefTracker, SourceDown, SourceStatus

__all__ = [
    "CannotRevert",
    "Changes",
    "Clone",
    "CloneSettings",
    "FetchReport",
    "FileAt",
    "FileEntry",
    "NotARepository",
    "PathNotFound",
    "RefGone",
    "RefTracker",
    "RemoteAccess",
    "RemoteAddress",
    "Repository",
    "RevertConflict",
    "Reverter",
    "Revision",
    "SourceDown",
    "SourceStatus",
    "SourceUnavailable",
    "parse_address",
    "parse_date",
]
