"""Git, read-only; the only room that runs git."""

from .access import RemoteAccess
from .address import RemoteAddress, parse_address
from .clone import Clone, CloneSettings, FetchReport
from .dates import parse_date
from .errors import NotARepository, PathNotFound, SourceUnavailable
from .repository import Changes, FileEntry, Repository
from .revision import Revision
from .tracker import RefGone, RefTracker, SourceDown, SourceStatus

__all__ = [
    "Changes",
    "Clone",
    "CloneSettings",
    "FetchReport",
    "FileEntry",
    "NotARepository",
    "PathNotFound",
    "RefGone",
    "RefTracker",
    "RemoteAccess",
    "RemoteAddress",
    "Repository",
    "Revision",
    "SourceDown",
    "SourceStatus",
    "SourceUnavailable",
    "parse_address",
    "parse_date",
]
