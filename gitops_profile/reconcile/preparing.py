"""What a revision changes, found and encoded while the loader process makes the next documents.

A revision is accepted as a whole or not at all, and nothing of it is told to anybody before it is durable; but what it
will append can be laid out as its documents come. Of 10 000 changed documents that took the server 60 ms after the last
one was there, in which the other core had nothing to do.
"""

from collections.abc import Sequence

from gitops_profile.presentity import PresentityTable, ProfileDocument, RevisionStamp

from .differ import change_of
from .journal import Draft
from .loading import Take


class Preparing:
    """One revision; `begin` makes what takes its documents."""

    def __init__(self, table: PresentityTable, stamp: RevisionStamp) -> None:
        self._table = table
        self._stamp = stamp
        self._draft = Draft(table)

    def begin(self) -> Take:
        """From the first document on; what came before is forgotten.

        They are compared in a turn of the loop, not in a thread: that would hold it up for more, 5 ms whenever both
        want to run. In the order in which they are loaded, that of their paths: sorting keys holds it up, too.
        """
        self._draft = draft = Draft(self._table)

        def take(documents: Sequence[ProfileDocument]) -> None:
            if draft.holds:
                events = [change_of(document, self._table, self._stamp) for document in documents]
                draft.add([event for event in events if event is not None])

        return take

    def draft(self, stamp: RevisionStamp) -> Draft | None:
        """What was prepared; None when the table has changed since, or the revision is stamped otherwise by now."""
        return self._draft if self._draft.holds and stamp == self._stamp else None
