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
    found = (change_of(document, table, stamp) for document in in_order(documents))
    events = [event for event in found if event is not None]
    return events + removals(documents, removed, table, stamp, whole=whole)


def in_order(documents: Mapping[ProfileKey, ProfileDocument]) -> list[ProfileDocument]:
    """The documents in the order of their keys: the same change is always the same batch."""
    return [documents[key] for key in sorted(documents)]


def change_of(document: ProfileDocument, table: PresentityTable, stamp: RevisionStamp) -> ProfileEvent | None:
    """What must happen for one document; None when it is in force as it is."""
    known = table.get(document.key)
    if known is None:
        return ProfileAdded(document, stamp)
    return ProfileChanged(document, stamp) if known != document else None


def removals(
    documents: Mapping[ProfileKey, ProfileDocument],
    removed: Iterable[ProfileKey],
    table: PresentityTable,
    stamp: RevisionStamp,
    *,
    whole: bool,
) -> list[ProfileEvent]:
    """What must happen to profiles that are gone."""
    gone = table.keys() - documents.keys() if whole else set(removed)
    found = ((key, table.get(key)) for key in sorted(gone))
    return [ProfileRemoved(key, known.path, stamp) for key, known in found if known is not None]
