"""The presentity table: a fold of presentity events, and nothing else. Live running and replay share `apply`."""

from collections import Counter
from collections.abc import Callable, Iterator, KeysView, Mapping
from dataclasses import replace
from typing import Any, Self

import msgspec

from .document import ProfileDocument
from .events import (
    ApplicationResumed,
    ApplicationSuspended,
    HistoryRewritten,
    PresentityEvent,
    ProfileAdded,
    ProfileChanged,
    ProfileRemoved,
    RepositoryRulesChanged,
    RevisionApplied,
    RevisionApproved,
    RevisionHeld,
    RevisionRejected,
    RevisionStamp,
    RevisionSuperseded,
)
from .events_codec import decode_event, encode_event
from .key import DEFAULT_DEVICE, ProfileKey, ProfileType
from .repository_rules import NO_RULES, RepositoryRules
from .unread import Unread, names_of

SNAPSHOT_VERSION = 7
SNAPSHOT_CHUNK = 500
"""Documents in one piece of a snapshot."""
MAX_JUDGED = 10_000
"""Commits remembered as judged; of more than that the oldest are forgotten."""


class SnapshotUnusable(ValueError):
    """A snapshot of another version, or damaged: replay the log instead."""


class PresentityTable:
    """Every profile document in force, and the revision that put it there."""

    def __init__(self) -> None:
        self.applied: RevisionApplied | None = None
        self.rejected: RevisionRejected | None = None
        """The newest revision that was refused; None once a later one is in force."""
        self.held: RevisionHeld | None = None
        """The newest revision, while it waits for approval; None once a later one has its verdict."""
        self.approved: RevisionApproved | None = None
        """That somebody let it pass; None once it is in force, or another one has its verdict."""
        self.rewritten: HistoryRewritten | None = None
        """The newest note that the ref left the revision in force; None once a later one is in force."""
        self.left: HistoryRewritten | None = None
        """The same, whatever came into force since."""
        self.judged: dict[str, None] = {}
        """The newest commits that have their verdict, whichever."""
        self.superseded: list[RevisionSuperseded] = []
        """What the newest revision that went past others went past."""
        self.suspensions: dict[str, ApplicationSuspended] = {}
        """By scope."""
        self.rules: RepositoryRules = NO_RULES
        """What the repository says of file names and decoys."""
        self.domains: Counter[str] = Counter()
        """How many documents each domain has; one without is not in it."""
        self.changes = 0
        """How many events were folded in: what was found out of the table holds while this is the same."""
        self.windowed = 0
        """How many documents have maintenance windows."""
        self._documents: dict[ProfileKey, ProfileDocument] = {}
        self._stamps: dict[ProfileKey, RevisionStamp] = {}
        self._aliases: dict[ProfileKey, ProfileKey] = {}
        """Alias: the key of its document."""
        self._unread: Unread | None = None
        """Documents of a snapshot that nobody has asked for yet."""

    def apply(self, event: PresentityEvent) -> tuple[ProfileKey, ...]:
        """Fold one event in; return the keys whose subscribers may have to be told, aliases included."""
        self.changes += 1
        if isinstance(event, ProfileAdded | ProfileChanged):
            document = event.document
            key = document.key
            if self._unread is not None:
                for name in (key, *document.aliases):
                    self._read_for(name)
            known = self._documents.get(key)
            before = self._release_aliases(known) if known is not None and known.aliases else ()
            self._count(known, document)
            self._documents[key] = document
            self._stamps[key] = event.revision
            if not document.aliases:
                return (key, *before)
            self._aliases.update(dict.fromkeys(document.aliases, key))
            return (key, *dict.fromkeys((*before, *document.aliases)))
        if isinstance(event, ProfileRemoved):
            self._read_for(event.key)
            known = self._documents.pop(event.key, None)
            if known is None:
                return (event.key,)
            self._count(known, None)
            self._stamps.pop(event.key, None)
            return (event.key, *self._release_aliases(known))
        self._apply_of_revision(event)
        return ()

    def put(
        self,
        documents: Mapping[ProfileKey, ProfileDocument],
        stamps: Mapping[ProfileKey, RevisionStamp],
        new: Mapping[str, int],
    ) -> None:
        """Put in documents that have no aliases and no windows, and have the place of such; `new` ones by domain.

        `get` has been asked for each of them.
        """
        self.changes += 1
        self._documents.update(documents)
        self._stamps.update(stamps)
        self.domains.update(new)

    def _apply_of_revision(self, event: PresentityEvent) -> None:
        """Fold in what is about a revision, not about a profile."""
        match event:
            case RepositoryRulesChanged(rules):
                self.rules = rules
            case RevisionApplied():
                self.applied, self.rejected, self.rewritten = event, None, None
                self.held = self.approved = None
                self._judge(event.revision.commit)
            case RevisionRejected():
                self.rejected, self.held, self.approved = event, None, None
                self._judge(event.revision.commit)
            case RevisionHeld():
                self.rejected, self.held, self.approved = None, event, None
                self._judge(event.revision.commit)
            case RevisionApproved():
                self.approved = event
            case RevisionSuperseded():
                if self.superseded and self.superseded[0].by != event.by:
                    self.superseded.clear()
                self.superseded.append(event)
                self._judge(event.revision.commit)
            case HistoryRewritten():
                self.rewritten = self.left = event
            case ApplicationSuspended():
                self.suspensions[event.scope] = event
            case ApplicationResumed():
                self.suspensions.pop(event.scope, None)
                if self.applied is not None:
                    self.applied = replace(self.applied, held_back=event.held_back)

    def _count(self, known: ProfileDocument | None, document: ProfileDocument | None) -> None:
        """Note the domain and the windows of a document that stands in the place of a known one."""
        if known is None and document is not None:
            self.domains[document.key.domain] += 1
        elif known is not None and document is None:
            self.domains[known.key.domain] -= 1
            if not self.domains[known.key.domain]:
                del self.domains[known.key.domain]
        if known is not None and known.notify.windows:
            self.windowed -= 1
        if document is not None and document.notify.windows:
            self.windowed += 1

    def _judge(self, commit: str) -> None:
        self.judged[commit] = None
        if len(self.judged) > MAX_JUDGED:
            del self.judged[next(iter(self.judged))]

    def _release_aliases(self, document: ProfileDocument) -> tuple[ProfileKey, ...]:
        """Forget the aliases that a document has had."""
        for alias in document.aliases:
            # An alias that moved to another document in the same revision may already be that one's.
            if self._aliases.get(alias) == document.key:
                del self._aliases[alias]
        return document.aliases

    def resolve(self, key: ProfileKey) -> ProfileKey | None:
        """The key of the document that `key` stands for: itself, or what it is an alias of; None for neither."""
        if key in self._documents:
            return key
        found = self._aliases.get(key)
        if found is None and self._read_for(key):
            return key if key in self._documents else self._aliases.get(key)
        return found

    def get(self, key: ProfileKey) -> ProfileDocument | None:
        """The document in force whose own key is `key`, or None; `resolve` finds aliases."""
        found = self._documents.get(key)
        if found is None and self._read_for(key):
            return self._documents.get(key)
        return found

    def given(self, key: ProfileKey, takes_unknown_devices: Callable[[str], bool]) -> ProfileDocument | None:
        """The document that whoever asks for `key` is given: its own, that of the alias, or for a device that nobody
        knows the default of its domain, where that is taken.
        """
        own = self.resolve(key)
        if own is None and key.profile_type is ProfileType.DEVICE and takes_unknown_devices(key.domain):
            own = ProfileKey.device(key.domain, DEFAULT_DEVICE)
        return self.get(own) if own is not None else None

    def revision_of(self, key: ProfileKey) -> RevisionStamp | None:
        """The commit that last changed the document of `key`."""
        self._read_for(key)
        return self._stamps.get(key)

    def keys(self) -> KeysView[ProfileKey]:
        """The keys of all documents."""
        self.read_all()
        return self._documents.keys()

    def __len__(self) -> int:
        return len(self._documents) + (self._unread.count if self._unread is not None else 0)

    def __iter__(self) -> Iterator[ProfileDocument]:
        self.read_all()
        return iter(self._documents.values())

    def __contains__(self, key: object) -> bool:
        return key in self._documents or (isinstance(key, ProfileKey) and self.get(key) is not None)

    def __eq__(self, other: object) -> bool:
        """Whether the same documents and rules are in force (invariant I1); by which commits is no part of it."""
        if not isinstance(other, PresentityTable):
            return False
        self.read_all()
        other.read_all()
        return (self._documents, self.rules) == (other._documents, other.rules)

    __hash__ = None  # type: ignore[assignment]  # mutable

    # -- documents that are still bytes ----------------------------------------------------------------------------

    def _read_for(self, key: ProfileKey) -> bool:
        """Read what has this key or alias; whether there was something to read."""
        unread = self._unread
        number = unread.find(key) if unread is not None else None
        if number is None:
            return False
        self._read(number)
        return True

    def read_some(self) -> bool:
        """Read some of the documents that nobody has asked for, in about 1 ms; whether there may be more."""
        number = self._unread.first() if self._unread is not None else None
        if number is None:
            self._unread = None
            return False
        self._read(number)
        return True

    def read_all(self) -> None:
        """Read every document, which takes a quarter of a second for 100 000."""
        while self.read_some():
            pass

    def _read(self, number: int) -> None:
        assert self._unread is not None
        for document, stamp in self._unread.read(number):
            self._documents[document.key] = document
            self._stamps[document.key] = stamp
            for alias in document.aliases:
                self._aliases[alias] = document.key

    def snapshot(self) -> Iterator[bytes]:
        """The whole table as it is when the first piece is asked for: a cache, which may be deleted at any time.

        In pieces that are made within a millisecond each, between which the table may change (invariant I8).
        """
        self.read_all()
        # Both are in the order in which the profiles came.
        documents, stamps = list(self._documents.values()), list(self._stamps.values())
        # In this order: what is applied puts an end to what was noted before.
        of_head = (self.left, self.applied, self.rejected, self.held, self.approved, self.rewritten)
        state = (*of_head, *self.superseded, *self.suspensions.values())
        outcomes = [encode_event(event) for event in state if event is not None]
        counts = (len(documents), dict(self.domains), self.windowed)
        yield _piece((SNAPSHOT_VERSION, *counts, self.rules.as_row(), outcomes, list(self.judged)))
        for start in range(0, len(documents), SNAPSHOT_CHUNK):
            yield _piece(names_of(documents[start : start + SNAPSHOT_CHUNK]))
            part = stamps[start : start + SNAPSHOT_CHUNK]
            numbers = {stamp: number for number, stamp in enumerate(dict.fromkeys(part))}
            yield _piece((list(numbers), [numbers[s] for s in part], documents[start : start + SNAPSHOT_CHUNK]))

    @classmethod
    def from_snapshot(cls, data: bytes) -> Self:
        """From all the pieces of a snapshot, one after the other; raises SnapshotUnusable.

        Its documents are read when they are asked for, so `data` stays in memory until `read_all`, or `read_some`.
        """
        try:
            return cls._restored(_pieces(data))
        except (msgspec.DecodeError, TypeError, ValueError, LookupError) as error:
            raise SnapshotUnusable(str(error)) from error

    @classmethod
    def _restored(cls, pieces: Iterator[memoryview]) -> Self:
        table = cls()
        version, *head = msgspec.msgpack.decode(next(pieces, b""))
        if version != SNAPSHOT_VERSION:
            raise SnapshotUnusable(f"snapshot version {version}")
        count, domains, table.windowed, rules, outcomes, judged = head
        table.rules, table.domains = RepositoryRules.from_row(rules), Counter(domains)
        table._unread = unread = Unread()
        for names in pieces:
            unread.add(names, next(pieces, memoryview(b"")))
        if unread.count != count:
            raise SnapshotUnusable(f"{unread.count} of {count} documents")
        for type_, version, _, data in outcomes:
            table.apply(decode_event(type_, version, data))
        table.judged = dict.fromkeys(judged)
        return table


_LENGTH = 4


def _piece(content: Any) -> bytes:
    data = msgspec.msgpack.encode(content)
    return len(data).to_bytes(_LENGTH, "big") + data


def _pieces(data: bytes) -> Iterator[memoryview]:
    view, at = memoryview(data), 0
    while at < len(view):
        end = at + _LENGTH + int.from_bytes(view[at : at + _LENGTH], "big")
        if end > len(view):
            raise SnapshotUnusable("it is of an older version, or ends too early")
        yield view[at + _LENGTH : end]
        at = end
