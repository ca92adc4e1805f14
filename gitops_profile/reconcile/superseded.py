"""What is noted of commits that a newer one went past, and of a ref that left its history (pure)."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace

from gitops_profile.presentity import (
    HistoryRewritten,
    PresentityTable,
    ProfileDocument,
    RevisionStamp,
    RevisionSuperseded,
)
from gitops_profile.source import Revision

MAX_SUPERSEDED = 100
"""Commits of one push that get a record each; how many there were besides stands in the oldest of these records."""

IsAncestor = Callable[[str, str], Awaitable[bool]]
Between = Callable[[str, str, int], Awaitable[tuple[Sequence[Revision], int]]]
"""Old commit, new commit, limit: the first parents between them, the newest first, and how many there are in all."""


BringsUrgent = Callable[[str, str], Awaitable[bool]]
"""Old commit, new commit: whether one between them, wherever it was merged from, is urgent."""


async def with_urgency(
    table: PresentityTable,
    revision: Revision,
    documents: Iterable[ProfileDocument],
    brings_urgent: BringsUrgent | None,
) -> Revision:
    """A revision is as urgent as any of the commits that come into force with it.

    Git is asked only where that makes a difference: for documents that have to wait for their windows.
    """
    if revision.urgent or brings_urgent is None or table.applied is None:
        return revision
    if not any(document.notify.windows for document in documents):
        return revision
    return replace(revision, urgent=await brings_urgent(table.applied.revision.commit, revision.commit))


def stamp_of(revision: Revision) -> RevisionStamp:
    """What the log keeps of a revision."""
    return RevisionStamp(
        revision.commit, revision.author, revision.committer, revision.committed_at, revision.message, revision.signer,
        revision.urgent,
    )  # fmt: skip


def superseded(
    passed: Iterable[Revision], older: int, judged: Collection[str], by: str, ref: str
) -> list[RevisionSuperseded]:
    """A verdict for each commit that has none, the oldest first. `passed` is newest first, `older` came before them."""
    fresh = {revision.commit: revision for revision in passed}
    events = [
        RevisionSuperseded(stamp_of(revision), ref, by)
        for revision in reversed(fresh.values())
        if revision.commit not in judged and revision.commit != by
    ]
    if older and events:
        events[0] = replace(events[0], older=older)
    return events


async def passed_over(
    table: PresentityTable, revision: Revision, overtaken: Sequence[Revision], between: Between | None, ref: str
) -> list[RevisionSuperseded]:
    """What `revision` goes past: the commits since the one in force, and those that were seen and not looked at.

    Nothing of a history that is new as a whole. Raises SourceUnavailable.
    """
    in_force = table.applied.revision.commit if table.applied is not None else ""
    found: Sequence[Revision] = ()
    count = 0
    if in_force and between is not None and in_force not in (revision.parent, revision.commit):
        found, count = await between(in_force, revision.commit, MAX_SUPERSEDED)
    if not found and not overtaken:
        return []
    on_branch = {one.commit for one in found}
    elsewhere = [one for one in reversed(overtaken) if one.commit not in on_branch]
    judged = {*table.judged, in_force}
    return superseded([*elsewhere, *found], count - len(found), judged, revision.commit, ref)


async def rewritten(
    table: PresentityTable, revision: Revision, is_ancestor: IsAncestor, ref: str
) -> list[HistoryRewritten]:
    """A note, once, when the ref left the revision in force (reset, force-push), whatever becomes of its head."""
    if table.applied is None:
        return []
    old, noted = table.applied.revision.commit, table.rewritten
    if old in (revision.commit, revision.parent) or await is_ancestor(old, revision.commit):
        return []
    if noted is not None and (
        noted.new_commit == revision.commit or await is_ancestor(noted.new_commit, revision.commit)
    ):
        return []
    return [HistoryRewritten(ref, old, revision.commit)]
