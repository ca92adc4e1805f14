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
from .variant import Variant

SNAPSHOT_VERSION = 2


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
        self._aliases: dict[ProfileKey, ProfileKey] = {}
        """Alias: the key of its document."""

    def apply(self, event: PresentityEvent) -> tuple[ProfileKey, ...]:
        """Fold one event in; return the keys whose subscribers may have to be told, aliases included."""
        match event:
            case ProfileAdded(document, revision) | ProfileChanged(document, revision):
                before = self._release_aliases(document.key)
                self._documents[document.key] = document
                self._stamps[document.key] = revision
                for alias in document.aliases:
                    self._aliases[alias] = document.key
                return (document.key, *dict.fromkeys((*before, *document.aliases)))
            case ProfileRemoved(key):
                before = self._release_aliases(key)
                self._documents.pop(key, None)
                self._stamps.pop(key, None)
                return (key, *before)
            case RevisionApplied():
                self.applied, self.rejected = event, None
            case RevisionRejected():
                self.rejected = event
            case RevisionSuperseded() | HistoryRewritten():
                pass  # history for people; no state follows from it
        return ()

    def _release_aliases(self, key: ProfileKey) -> tuple[ProfileKey, ...]:
        """Forget the aliases that the document of `key` has had."""
        known = self._documents.get(key)
        if known is None:
            return ()
        for alias in known.aliases:
            # An alias that moved to another document in the same revision may already be that one's.
            if self._aliases.get(alias) == key:
                del self._aliases[alias]
        return known.aliases

    def resolve(self, key: ProfileKey) -> ProfileKey | None:
        """The key of the document that `key` stands for: itself, or what it is an alias of; None for neither."""
        return key if key in self._documents else self._aliases.get(key)

    def get(self, key: ProfileKey) -> ProfileDocument | None:
        """The document in force whose own key is `key`, or None; `resolve` finds aliases."""
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
            (
                str(d.key), d.content_type, d.body, d.path, d.sensitive, d.effective_by,
                [variant.as_row() for variant in d.variants], [str(alias) for alias in d.aliases],
                stamps[self._stamps[d.key]],
            )
            for d in self
        ]  # fmt: skip
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
        for key_text, content_type, body, path, sensitive, effective_by, variant_rows, alias_texts, stamp in documents:
            key = ProfileKey.parse(key_text)
            variants = tuple(Variant(*row) for row in variant_rows)
            aliases = tuple(map(ProfileKey.parse, alias_texts))
            table._documents[key] = ProfileDocument(
                key, content_type, body, path, sensitive, effective_by, variants, aliases
            )
            table._stamps[key] = stamps[stamp]
            for alias in aliases:
                table._aliases[alias] = key
        for type_, version, _, data in outcomes:
            table.apply(decode_event(type_, version, data))
        return table
