"""Git and the programs that check signatures; the only room that runs them.

Read-only but for `Reverter`, which no server calls, and a server's own clone.
"""

from .access import RemoteAccess
from .address import RemoteAddress, parse_address
from .clone import Clone, CloneSettings, FetchReport
from .dates import parse_date
from .errors import KeysUnusable, NotARepository, PathNotFound, SourceUnavailable, VerificationUnavailable
from .keys import KeyFiles, Keys
from .repository import Changes, FileEntry, Repository
from .revert import CannotRevert, FileAt, RevertConflict, Reverter
from .revision import Revision
from .tracker import RefGone, RefTracker, SourceDown, SourceStatus
from .verifier import Checked, Verifier

__all__ = [
    "CannotRevert",
    "Changes",
    "Checked",
    "Clone",
    "CloneSettings",
    "FetchReport",
    "FileAt",
    "FileEntry",
    "KeyFiles",
    "Keys",
    "KeysUnusable",
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
    "VerificationUnavailable",
    "Verifier",
    "parse_address",
    "parse_date",
]
