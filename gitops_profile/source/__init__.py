"""Git and the programs that check signatures; the only room that runs them.

Read-only but for `Reverter`, which no server calls, and a server's own clone.

A name is looked up when it is asked for: with GitPython, and git that it runs, an import takes 0.09 s.
"""

import os
from typing import TYPE_CHECKING

from gitops_profile.door import late_names

# GitPython looks for git when it is imported, and ends whoever imports it when there is none, `--help` too. Without git
# `open_git` says so, in one line.
os.environ["GIT_PYTHON_REFRESH"] = "quiet"

if TYPE_CHECKING:
    from .access import RemoteAccess
    from .address import RemoteAddress, parse_address
    from .clone import Clone, CloneSettings, FetchReport
    from .dates import parse_date
    from .errors import KeysUnusable, NotARepository, PathNotFound, SourceUnavailable, VerificationUnavailable
    from .keys import KeyFiles, Keys
    from .refs import glance
    from .repository import Changes, FileEntry, Repository
    from .revert import CannotRevert, FileAt, RevertConflict, Reverter
    from .revision import Revision
    from .tracker import RefGone, RefTracker, SourceDown, SourceStatus
    from .verifier import Checked, Verifier
else:
    __getattr__ = late_names(
        __name__,
        {
            "CannotRevert": "revert",
            "Changes": "repository",
            "Checked": "verifier",
            "Clone": "clone",
            "CloneSettings": "clone",
            "FetchReport": "clone",
            "FileAt": "revert",
            "FileEntry": "repository",
            "KeyFiles": "keys",
            "Keys": "keys",
            "KeysUnusable": "errors",
            "NotARepository": "errors",
            "PathNotFound": "errors",
            "RefGone": "tracker",
            "RefTracker": "tracker",
            "RemoteAccess": "access",
            "RemoteAddress": "address",
            "Repository": "repository",
            "RevertConflict": "revert",
            "Reverter": "revert",
            "Revision": "revision",
            "SourceDown": "tracker",
            "SourceStatus": "tracker",
            "SourceUnavailable": "errors",
            "VerificationUnavailable": "errors",
            "Verifier": "verifier",
            "glance": "refs",
            "parse_address": "address",
            "parse_date": "dates",
        },
    )

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
    "glance",
    "parse_address",
    "parse_date",
]
