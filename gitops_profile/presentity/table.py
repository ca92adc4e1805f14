"""The presentity table: a fold of presentity events, and nothing else. Live running and replay share `apply`."""

from collections import Counter
from collections.abc import Callable, Iterator
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
from .notify_policy import NotifyPolicy
from .repository_rules import NO_RULES, RepositoryRules
from .variant import Variant

SNAPSHOT_VERSION = 5
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

    def apply(self, event: PresentityEvent) -> tuple[ProfileKey, ...]:
        """Fold one event in; return the keys whose subscribers may have to be told, aliases included."""
        self.changes += 1
        match event:
            case ProfileAdded(document, revision) | ProfileChanged(document, revision):
                before = self._release_aliases(document.key)
                self._keep(document)
                self._stamps[document.key] = revision
                for alias in document.aliases:
                    self._aliases[alias] = document.key
                return (document.key, *dict.fromkeys((*before, *document.aliases)))
            case ProfileRemoved(key):
                before = self._release_aliases(key)
                known = self._documents.pop(key, None)
                if known is not None:
                    self.windowed -= bool(known.notify.windows)
                    self._leave_domain(key.domain)
                self._stamps.pop(key, None)
                return (key, *before)
            case _:
                self._apply_of_revision(event)
        return ()

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

    def _keep(self, document: ProfileDocument) -> None:
        known = self._documents.get(document.key)
        if known is None:
            self.domains[document.key.domain] += 1
        self.windowed += bool(document.notify.windows) - bool(known is not None and known.notify.windows)
        self._documents[document.key] = document

    def _leave_domain(self, domain: str) -> None:
        self.domains[domain] -= 1
        if not self.domains[domain]:
            del self.domains[domain]

    def _judge(self, commit: str) -> None:
        self.judged[commit] = None
        if len(self.judged) > MAX_JUDGED:
            del self.judged[next(iter(self.judged))]

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

    def given(self, key: ProfileKey, takes_unknown_devices: Callable[[str], bool]) -> ProfileDocument | None:
        """The document that whoever asks for `key` is given: its own, that of the alias, or for a device that nobody
        knows the default of its domain, where that is taken.
        """
        own = self.resolve(key)
        if own is None and key.profile_type is ProfileType.DEVICE and takes_unknown_devices(key.domain):
            own = ProfileKey.device(key.domain, DEFAULT_DEVICE)
        return self._documents.get(own) if own is not None else None

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
        """Whether the same documents and rules are in force (invariant I1); by which commits is no part of it."""
        return isinstance(other, PresentityTable) and (self._documents, self.rules) == (other._documents, other.rules)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def snapshot(self) -> bytes:
        """The whole table as bytes: a cache, which may be deleted at any time."""
        stamps = {stamp: number for number, stamp in enumerate(dict.fromkeys(self._stamps.values()))}
        documents = [
            (
                str(d.key), d.content_type, d.body, d.path, d.sensitive, d.effective_by,
                [variant.as_row() for variant in d.variants], [str(alias) for alias in d.aliases],
                d.notify.as_row(), stamps[self._stamps[d.key]],
            )
            for d in self
        ]  # fmt: skip
        # In this order: what is applied puts an end to what was noted before.
        of_head = (self.left, self.applied, self.rejected, self.held, self.approved, self.rewritten)
        state = (*of_head, *self.superseded, *self.suspensions.values())
        outcomes = [encode_event(event) for event in state if event is not None]
        stamp_rows = [tuple(getattr(s, name) for name in RevisionStamp.__slots__) for s in stamps]
        head = (SNAPSHOT_VERSION, self.rules.as_row())
        return msgspec.msgpack.encode((*head, stamp_rows, documents, outcomes, list(self.judged)))

    @classmethod
    def from_snapshot(cls, data: bytes) -> Self:
        """The inverse of `snapshot`; raises SnapshotUnusable."""
        try:
            version, *rows = msgspec.msgpack.decode(data)
            if version != SNAPSHOT_VERSION:
                raise SnapshotUnusable(f"snapshot version {version}")
            return cls._restored(*rows)
        except (msgspec.DecodeError, TypeError, ValueError, LookupError) as error:
            raise SnapshotUnusable(str(error)) from error

    @classmethod
    def _restored(cls, rules: Any, stamp_rows: Any, documents: Any, outcomes: Any, judged: Any) -> Self:
        table = cls()
        table.rules = RepositoryRules.from_row(rules)
        stamps = [RevisionStamp(*row) for row in stamp_rows]
        for (
            key_text,
            media_type,
            body,
            path,
            sensitive,
            effective_by,
            variant_rows,
            alias_texts,
            policy,
            stamp,
        ) in documents:
            key = ProfileKey.parse(key_text)
            variants = tuple(Variant(*row) for row in variant_rows)
            aliases = tuple(map(ProfileKey.parse, alias_texts))
            notify = NotifyPolicy.from_row(policy)
            table._keep(
                ProfileDocument(key, media_type, body, path, sensitive, effective_by, variants, aliases, notify)
            )
            table._stamps[key] = stamps[stamp]
            for alias in aliases:
                table._aliases[alias] = key
        for type_, version, _, data in outcomes:
            table.apply(decode_event(type_, version, data))
        table.judged = dict.fromkeys(judged)
        return table
