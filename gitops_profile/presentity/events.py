"""Presentity events: past-tense facts about who is provisioned with what. Small, versioned, never edited."""

from dataclasses import dataclass

import msgspec

from .document import ProfileDocument
from .key import ProfileKey
from .repository_rules import RepositoryRules


@dataclass(frozen=True, slots=True)
class RevisionStamp:
    """Which commit said so, and whose it is."""

    commit: str
    author: str
    committer: str
    committed_at: str
    """ISO 8601, UTC."""
    message: str
    """The first line of the commit message."""
    signer: str | None = None
    urgent: bool = False
    """Whether its author wants it delivered now, whatever the maintenance windows say."""


@dataclass(frozen=True, slots=True)
class ProblemRecord:
    """One thing wrong with a rejected revision, or why one is held."""

    path: str
    """The file; empty when it is about the commit."""
    line: int | None
    column: int | None
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.path, self.line, self.column) if part)
        return (f"{place}: " if place else "") + self.message + (f" ({self.hint})" if self.hint else "")


class ProfileAdded(msgspec.Struct, frozen=True, gc=False):
    """A profile document exists that did not."""

    document: ProfileDocument
    revision: RevisionStamp


class ProfileChanged(msgspec.Struct, frozen=True, gc=False):
    """A profile document differs: in content, variants, aliases, how it may travel or be told, where it is kept."""

    document: ProfileDocument
    revision: RevisionStamp


class ProfileRemoved(msgspec.Struct, frozen=True, gc=False):
    """A commit removed a profile document; nothing else ever does (invariant I4)."""

    key: ProfileKey
    path: str
    revision: RevisionStamp


@dataclass(frozen=True, slots=True)
class RepositoryRulesChanged:
    """profiles.yaml says something else of file names or decoys than was in force."""

    rules: RepositoryRules
    ref: str
    revision: RevisionStamp


@dataclass(frozen=True, slots=True)
class RevisionApplied:
    """A revision is in force: the checkpoint of its batch."""

    revision: RevisionStamp
    ref: str
    path: str
    """The profiles folder inside the repository: the same commit under another folder is another revision."""
    loader_version: int
    added: int
    changed: int
    removed: int
    held_back: int = 0
    """Profiles that are not as the commit has them, because their application is suspended."""


@dataclass(frozen=True, slots=True)
class RevisionRejected:
    """A revision had problems; the one before it stays in force."""

    revision: RevisionStamp
    ref: str
    path: str
    loader_version: int
    problems: tuple[ProblemRecord, ...]
    keys: str | None = None
    """With which keys its signature was checked, when that is why: with others it is looked at again."""


@dataclass(frozen=True, slots=True)
class RevisionHeld:
    """A revision looks like a mistake: it waits for somebody's approval, or for a better one; nothing changes yet."""

    revision: RevisionStamp
    ref: str
    path: str
    loader_version: int
    problems: tuple[ProblemRecord, ...]


@dataclass(frozen=True, slots=True)
class RevisionApproved:
    """Somebody let the held revision pass. It is about that commit alone, and about what it was held for."""

    commit: str
    ref: str
    by: str
    at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class RevisionSuperseded:
    """A newer revision arrived before this one was looked at."""

    revision: RevisionStamp
    ref: str
    by: str | None = None
    """The commit that went past it; None in logs of before this was recorded."""
    older: int = 0
    """So many more commits before this one were passed over in the same way, without a record of their own."""


@dataclass(frozen=True, slots=True)
class HistoryRewritten:
    """The ref no longer contains the revision that was in force."""

    ref: str
    old_commit: str
    new_commit: str


@dataclass(frozen=True, slots=True)
class ApplicationSuspended:
    """Somebody stopped the application of revisions, to everything or to some profiles; phones stay served."""

    scope: str
    """`all`, a folder such as `device/example.com/hq`, or the key of a profile."""
    by: str
    reason: str
    """Empty when none was given."""
    at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class ApplicationResumed:
    """What was suspended follows git again. The last record of its batch: what was held back stands before it."""

    scope: str
    by: str
    held_back: int = 0
    """Profiles that still are not as the revision in force has them, because of other suspensions."""


PresentityEvent = (
    ProfileAdded
    | ProfileChanged
    | ProfileRemoved
    | RepositoryRulesChanged
    | RevisionApplied
    | RevisionRejected
    | RevisionHeld
    | RevisionApproved
    | RevisionSuperseded
    | HistoryRewritten
    | ApplicationSuspended
    | ApplicationResumed
)

BATCH_ENDS = (RevisionApplied, ApplicationResumed)
"""What stands behind the documents that came into force with it."""
