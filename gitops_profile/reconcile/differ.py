"""Desired documents against the table: the fewest events that lead there (pure)."""

from collections.abc import Iterable, Mapping

from gitops_profile.presentity import (
    PresentityTable,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    ProfileRemoved,
    RevisionStamp,
)

ProfileEvent = ProfileAdded | ProfileChanged | ProfileRemoved


def diff(
    documents: Mapping[ProfileKey, ProfileDocument],
    removed: Iterable[ProfileKey],
    table: PresentityTable,
    stamp: RevisionStamp,
    *,
    whole: bool,
) -> list[ProfileEvent]:
    """What must happen. After a whole load every profile that is not in `documents` is removed."""
    events: list[ProfileEvent] = []
    for key, document in sorted(documents.items()):
        known = table.get(key)
        if known is None:
            events.append(ProfileAdded(document, stamp))
        elif known != document:
            events.append(ProfileChanged(document, stamp))
    gone = {document.key for document in table if document.key not in documents} if whole else set(removed)
    for key in sorted(gone):
        known = table.get(key)
        if known is not None:
            events.append(ProfileRemoved(key, known.path, stamp))
    return events
