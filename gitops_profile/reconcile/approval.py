"""`approve`: somebody lets the revision pass that is held."""

import logging
from datetime import UTC, datetime

from gitops_profile.eventlog import VersionConflict
from gitops_profile.presentity import RevisionApproved, RevisionHeld

from .journal import Journal

logger = logging.getLogger(__name__)

SHORTEST = 7
"""Characters of an abbreviated commit id: whoever approves says which commit was looked at."""


class NotHeld(Exception):
    """That commit does not wait for approval; the message says what does."""


async def approve(journal: Journal, commit: str, by: str) -> RevisionHeld:
    """Record the approval of the commit that is held (its id, or the beginning of it).

    Raises NotHeld, LogUnavailable.
    """
    while True:
        position, held = journal.position, journal.table.held
        if held is None:
            raise NotHeld("no revision waits for approval; see: gitops-profile status")
        name = held.revision.commit
        if len(commit) < SHORTEST or not name.startswith(commit):
            raise NotHeld(f"it is {name} that waits for approval, not {commit}; look at it, then approve that")
        if journal.table.approved is not None:
            return held
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            await journal.append([RevisionApproved(name, held.ref, by, at)], decided_at=position)
        except VersionConflict:
            continue  # a newer revision got its verdict meanwhile
        logger.info("revision approved rev=%s by=%s", name[:12], by)
        return held
