"""The presentity table: a fold of presentity events, and nothing else. Live running and replay share `apply`."""

from collections.abc import Iterator
from typing import Any, Self

import msgspec

from .document import ProfileDocument
from .events import (
    HistoryRewritten,
    PresentityEvent,
    ProfileAdded,
    ProfileChanged,
    ProfileRemoved,
    RevisionApplied,
    RevisionRejected,
    RevisionStamp,
    RevisionSuperseded,
)
from .events_codec import decode_event, encode_event
from .key import ProfileKey

SNAPSHOT_VERSION = 1


class SnapshotUnusable(ValueError):
    """A snapshot of another version, or damaged: replay the log instead."""


class PresentityTable:
    """Every profile document in force, and the revision that put it there."""

    def __init__(self) -> None:
        self.applied: RevisionApplied | None = None
        self.rejected: RevisionRejected | None = None
        """The newest revision that was refused; None once a later one is in force."""
        self._documents: dict[ProfileKey, ProfileDocument] = {}
        self._stamps: dict[ProfileKey, RevisionStamp] = {}

    def apply(self, event: PresentityEvent) -> ProfileKey | None:
        """Fold one event in; return the key whose subscribers may have to be told."""
        match event:
            case ProfileAdded(document, revision) | ProfileChanged(document, revision):
                self._documents[document.key] = document
                self._stamps[document.key] = revision
                return document.key
            case ProfileRemoved(key):
                self._documents.pop(key, None)
                self._stamps.pop(key, None)
                return key
            case RevisionApplied():
                self.applied, self.rejected = event, None
            case RevisionRejected():
                self.rejected = event
            case RevisionSuperseded() | HistoryRewritten():
                pass  # history for people; no state follows from it
        return None

    def get(self, key: ProfileKey) -> ProfileDocument | None:
        """The document in force for `key`, or None."""
        return self._documents.get(key)

    def revision_of(self, key: ProfileKey) -> RevisionStamp | None:
        """The commit that last changed the document of `key`."""
        return self._stamps.get(key)

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[ProfileDocument]:
        return iter(self._documents.values())

    def __contains__(self, key: object) -> bool:
        return key in self._documents

    def __eq__(self, other: object) -> bool:
        """Whether the same documents are in force (invariant I1); by which commits is no part of it."""
        return isinstance(other, PresentityTable) and self._documents == other._documents

    __hash__ = None  # type: ignore[assignment]  # mutable

    def snapshot(self) -> bytes:
        """The whole table as bytes: a cache, which may be deleted at any time."""
        stamps = {stamp: number for number, stamp in enumerate(dict.fromkeys(self._stamps.values()))}
        documents = [
            (str(d.key), d.content_type, d.body, d.path, d.sensitive, d.effective_by, stamps[self._stamps[d.key]])
            for d in self
        ]
        outcomes = [encode_event(e) for e in (self.applied, self.rejected) if e is not None]
        stamp_rows = [tuple(getattr(s, name) for name in RevisionStamp.__slots__) for s in stamps]
        return msgspec.msgpack.encode((SNAPSHOT_VERSION, stamp_rows, documents, outcomes))

    @classmethod
    def from_snapshot(cls, data: bytes) -> Self:
        """The inverse of `snapshot`; raises SnapshotUnusable."""
        try:
            version, stamp_rows, documents, outcomes = msgspec.msgpack.decode(data)
            if version != SNAPSHOT_VERSION:
                raise SnapshotUnusable(f"snapshot version {version}")
            return cls._restored(stamp_rows, documents, outcomes)
        except (msgspec.DecodeError, TypeError, ValueError, LookupError) as error:
            raise SnapshotUnusable(str(error)) from error

    @classmethod
    def _restored(cls, stamp_rows: Any, documents: Any, outcomes: Any) -> Self:
        table = cls()
        stamps = [RevisionStamp(*row) for row in stamp_rows]
        for key_text, content_type, body, path, sensitive, effective_by, stamp in documents:
            key = ProfileKey.parse(key_text)
            table._documents[key] = ProfileDocument(key, content_type, body, path, sensitive, effective_by)
            table._stamps[key] = stamps[stamp]
        for type_, version, _, data in outcomes:
            table.apply(decode_event(type_, version, data))
        return table
