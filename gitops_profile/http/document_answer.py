"""A document as a phone is answered it, and what tells its versions apart: its entity-tag, and perhaps its time."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from gitops_profile.presentity import ProfileKey, RevisionStamp

from .plain_get import Asking
from .preconditions import holds, refuse_unless_matching
from .questions import NEVER, Changed, Found
from .whole_answer import WholeAnswer

HEADERS = {
    "Accept-Ranges": "none",
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer about documents, whether there is one or not."""
SETTLED = 2.0
"""Seconds after a commit from when on its time is told: in the same second another may follow (RFC 9110 §8.8.2.2)."""


def answer_of(
    request: Asking, found: Found, revision_of: Callable[[ProfileKey], RevisionStamp | None], now: float
) -> WholeAnswer:
    """What the client, who may have the document that was found, is answered; `now` is what goes into Date.

    Raises FetchRefused when he wants another version only.
    """
    refuse_unless_matching(request.headers, found.tag)
    if found.changed is None:
        found.changed = _changed(found, revision_of)
    is_dated = found.changed.at + SETTLED <= now
    if is_dated is not found.is_dated:  # what was answered before says otherwise
        found.is_dated, found.whole, found.unchanged = is_dated, None, None
    if _has(request, found):
        if found.unchanged is None:
            found.unchanged = WholeAnswer(304, _fields(found))
        return found.unchanged
    if found.whole is None:
        fields = [*_fields(found), ("Content-Type", found.shown.content_type)]
        found.whole = WholeAnswer(200, fields, found.shown.body)
    return found.whole


def _changed(found: Found, revision_of: Callable[[ProfileKey], RevisionStamp | None]) -> Changed:
    # A validator is one of a representation (RFC 9110 §8.8): of several at one URL, which one commit may have made, the
    # commit's time tells none from another.
    document = found.document
    stamp = revision_of(document.key) if document is not None and found.is_only and not document.variants else None
    return _moment(stamp.committed_at) if stamp is not None else NEVER


@lru_cache(maxsize=256)
def _moment(committed_at: str) -> Changed:
    """A commit's time: made once, for all documents of a commit (5 µs)."""
    moment = datetime.fromisoformat(committed_at).astimezone(UTC)
    return Changed(moment.timestamp(), format_datetime(moment, usegmt=True))


def _fields(found: Found) -> list[tuple[str, str]]:
    fields = [*HEADERS.items(), ("ETag", f'"{found.tag}"')]
    if found.document is not None and found.document.variants:
        fields.append(("Vary", "User-Agent"))  # RFC 9110 §12.5.5
    if found.is_dated and found.changed is not None:
        fields.append(("Last-Modified", found.changed.text))
    return fields


def _has(request: Asking, found: Found) -> bool:
    """Whether the client says that it has this version (RFC 9110 §13.1.2, §13.1.3)."""
    named = request.headers.getall("If-None-Match", ())
    if named:
        return holds(named, found.tag)
    since = request.headers.get("If-Modified-Since")
    if since is None or not found.is_dated or found.changed is None:
        return False
    try:
        # Only the very same time: after a revert or a force-push the newer document is the older commit.
        named_time = parsedate_to_datetime(since)
    except (ValueError, TypeError, OverflowError):
        return False
    if named_time.tzinfo is None:  # as asctime writes it (RFC 9110 §5.6.7)
        named_time = named_time.replace(tzinfo=UTC)
    return named_time.timestamp() == found.changed.at
