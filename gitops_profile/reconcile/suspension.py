"""Which of a revision's changes are held back while the application to some profiles is suspended (pure).

A scope is `all`, a folder of the profile repository, or the key of a profile (or an alias of it). A profile is in a
scope as it is in force or as the revision has it, so that a file that moves across the border of a folder stays where
it is. Two documents that hand a key or an alias over to one another come into force together or not at all: otherwise
two would claim it, or nobody, and a phone that no one meant to touch would lose its profile.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gitops_profile.presentity import PresentityTable, ProfileDocument, ProfileKey

ALL = "all"

Changes = dict[ProfileKey, ProfileDocument | None]
"""What a revision wants that is not in force: a document, or None for its removal."""


@dataclass(frozen=True, slots=True)
class Division:
    """A revision's changes: what comes into force, and what waits."""

    documents: dict[ProfileKey, ProfileDocument]
    removed: frozenset[ProfileKey]
    held: Changes


def covers(scopes: Collection[str], document: ProfileDocument | None) -> bool:
    """Whether a document is in one of the scopes."""
    if document is None:
        return False
    if ALL in scopes or any(str(key) in scopes for key in (document.key, *document.aliases)):
        return True
    folder = document.path
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        if folder in scopes:
            return True
    return False


def changes_of(
    documents: Mapping[ProfileKey, ProfileDocument],
    removed: Iterable[ProfileKey],
    table: PresentityTable,
    held: Changes,
    *,
    whole: bool,
) -> Changes:
    """What a load wants that is not in force; what was `held` before still waits unless the load says otherwise."""
    wanted: Changes = {} if whole else dict(held)
    wanted.update(documents)
    gone = (document.key for document in table if document.key not in documents) if whole else removed
    wanted.update(dict.fromkeys(gone))
    return {key: document for key, document in wanted.items() if document != table.get(key)}


def divide(wanted: Changes, table: PresentityTable, scopes: Collection[str]) -> Division:
    """Hold back what is in a scope, and what hands a key over to it or takes one from it, however indirectly."""
    held = (
        {key for key, new in wanted.items() if covers(scopes, new) or covers(scopes, table.get(key))}
        if scopes
        else set()
    )
    if held:
        partners = _partners(wanted, table)
        waiting = list(held)
        while waiting:
            fresh = partners[waiting.pop()] - held
            held |= fresh
            waiting += fresh
    documents = {key: new for key, new in wanted.items() if new is not None and key not in held}
    removed = frozenset(key for key, new in wanted.items() if new is None and key not in held)
    return Division(documents, removed, {key: wanted[key] for key in wanted if key in held})


def _partners(wanted: Changes, table: PresentityTable) -> defaultdict[ProfileKey, set[ProfileKey]]:
    """For each changed profile those that take a key or an alias from it, or give one to it."""
    partners: defaultdict[ProfileKey, set[ProfileKey]] = defaultdict(set)
    for key, new in wanted.items():
        for claim in (key, *new.aliases) if new is not None else ():
            before = table.resolve(claim)
            if before is not None and before != key:
                partners[key].add(before)
                partners[before].add(key)
    return partners
