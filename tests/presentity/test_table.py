"""The table is a fold: replay, snapshot and live running agree."""

import json
from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.presentity import (
    DEFAULT_DEVICE,
    ApplicationResumed,
    ApplicationSuspended,
    Batch,
    FileRule,
    HistoryRewritten,
    NotifyPolicy,
    PresentityEvent,
    PresentityTable,
    ProblemRecord,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    ProfileRemoved,
    RepositoryRules,
    RepositoryRulesChanged,
    RevisionApplied,
    RevisionRejected,
    RevisionStamp,
    RevisionSuperseded,
    SnapshotUnusable,
    UnknownEvent,
    Variant,
    Window,
    decode_event,
    encode_event,
    entity_tag,
)
from gitops_profile.presentity.table import SNAPSHOT_CHUNK

STAMP = RevisionStamp("a" * 40, "A <a@example.com>", "C <c@example.com>", "2026-01-01T00:00:00Z", "message")
keys = st.sampled_from([ProfileKey.user("example.com", n) for n in "abc"] + [ProfileKey.local_network("example.com")])
globs = st.sampled_from(["*", "Yealink", "snom?", "8.1*"])
variants = st.builds(
    Variant,
    vendor=globs,
    model=st.none() | globs,
    version=st.none() | globs,
    content_type=st.sampled_from(["text/xml", "text/plain"]),
    body=st.binary(max_size=20),
    sensitive=st.booleans(),
    effective_by=st.none() | st.integers(0, 99),
)
windows = st.builds(
    Window,
    allows=st.booleans(),
    cron=st.just("0 2 * * *"),
    seconds=st.integers(60, 86400),
    timezone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
policies = st.builds(
    NotifyPolicy, st.booleans(), st.none() | st.just("sip:2001@example.com"), st.lists(windows, max_size=2).map(tuple)
)
documents = st.builds(
    ProfileDocument,
    key=keys,
    content_type=st.sampled_from(["text/xml", "text/plain"]),
    body=st.binary(max_size=20),
    path=st.just("user/example.com/x.xml"),
    sensitive=st.booleans(),
    effective_by=st.none() | st.integers(0, 99),
    variants=st.lists(variants, max_size=3).map(tuple),
    notify=policies,
)
stamps = st.sampled_from([STAMP, replace(STAMP, urgent=True)])
scopes = st.sampled_from(["all", "device/example.com/hq", "user/example.com/a"])
applied = RevisionApplied(STAMP, "main", "profiles", 1, 1, 0, 0)
problem = ProblemRecord("user/x.yaml", 3, None, "broken", "mend it")
rules = st.sampled_from(
    [RepositoryRules(), RepositoryRules((FileRule("{mac}.x", ("{mac}", "all")),), ("0004f2000001",))]
)
events: st.SearchStrategy[PresentityEvent] = st.one_of(
    st.builds(ProfileAdded, documents, stamps),
    st.builds(ProfileChanged, documents, stamps),
    st.builds(ProfileRemoved, keys, st.just("p"), stamps),
    st.builds(RepositoryRulesChanged, rules, st.just("main"), stamps),
    st.just(applied),
    st.just(RevisionRejected(STAMP, "main", "profiles", 1, (problem,))),
    st.builds(RevisionSuperseded, stamps, st.just("main"), st.sampled_from([None, "b", "c"]), st.integers(0, 9)),
    st.just(HistoryRewritten("main", "a", "b")),
    st.builds(
        ApplicationSuspended, scopes, st.just("ann"), st.sampled_from(["", "why"]), st.just("2026-01-01T00:00:00Z")
    ),
    st.builds(ApplicationResumed, scopes, st.just("bob"), st.integers(0, 9)),
)


ALIASES = tuple(ProfileKey.user("example.com", name) for name in "xyz")


@st.composite
def revisions(draw: st.DrawFn) -> list[PresentityEvent]:
    """Batches as revisions make them, in any order: no two documents have one alias, though it may move."""
    documents_of: dict[ProfileKey, ProfileDocument] = {}
    history: list[PresentityEvent] = []
    for wanted in draw(st.lists(st.dictionaries(keys, documents, max_size=4), max_size=5)):
        owners = draw(st.lists(st.sampled_from([None, *wanted]), min_size=3, max_size=3))
        after = {
            key: document.but(key=key, aliases=tuple(a for a, o in zip(ALIASES, owners, strict=True) if o == key))
            for key, document in wanted.items()
        }
        batch: list[PresentityEvent] = [ProfileRemoved(key, "p", STAMP) for key in documents_of.keys() - after.keys()]
        batch += [ProfileChanged(d, STAMP) if k in documents_of else ProfileAdded(d, STAMP) for k, d in after.items()]
        history += draw(st.permutations(batch))
        documents_of = after
    return history


@given(events)
def test_decode_is_the_inverse_of_encode_through_json(event: PresentityEvent) -> None:
    type_, version, _, data = encode_event(event)
    assert decode_event(type_, version, data) == event
    assert b"\n" not in data and isinstance(json.loads(data), dict)


@given(st.lists(events, max_size=20))
def test_snapshot_restores_the_fold(history: list[PresentityEvent]) -> None:
    table = PresentityTable()
    for event in history:
        table.apply(event)
    again = PresentityTable.from_snapshot(b"".join(table.snapshot()))
    assert again == table
    for part in ("rules", "applied", "rejected", "rewritten", "left", "superseded", "judged", "suspensions"):
        assert getattr(again, part) == getattr(table, part), part
    assert again.domains == table.domains == Counter(document.key.domain for document in table)
    assert again.windowed == table.windowed == sum(bool(document.notify.windows) for document in table)
    for document in table:
        assert again.revision_of(document.key) == table.revision_of(document.key)


@given(st.lists(events, max_size=20), st.lists(events, max_size=20), st.data())
def test_a_table_whose_documents_are_not_read_yet_is_the_same_table(
    history: list[PresentityEvent], later: list[PresentityEvent], data: st.DataObject
) -> None:
    """Whatever is asked first, and whatever is folded in before they are read."""
    table = PresentityTable()
    for event in history:
        table.apply(event)
    again = PresentityTable.from_snapshot(b"".join(table.snapshot()))
    assert len(again) == len(table)
    keys = [
        *table.keys(),
        *(alias for document in table for alias in document.aliases),
        *ALIASES,
        ProfileKey.user("example.com", "nobody"),
    ]
    for key in data.draw(st.lists(st.sampled_from(keys))):
        asked = data.draw(st.sampled_from(["resolve", "get", "revision_of", "__contains__"]))
        assert getattr(again, asked)(key) == getattr(table, asked)(key)
        assert len(again) == len(table)
    for event in later:
        assert again.apply(event) == table.apply(event)
    if data.draw(st.booleans()):
        again.read_some()
    assert len(again) == len(table) and again == table
    assert (again.domains, again.windowed) == (table.domains, table.windowed)
    assert list(again.keys()) == [document.key for document in again]


def test_the_documents_of_a_snapshot_are_read_in_pieces() -> None:
    table = PresentityTable()
    keys = [ProfileKey.user("example.com", f"u{number}") for number in range(3 * SNAPSHOT_CHUNK + 1)]
    for number, key in enumerate(keys):
        aliases = (ProfileKey.user("example.com", "alias"),) if number == SNAPSHOT_CHUNK else ()
        table.apply(ProfileAdded(ProfileDocument(key, "text/xml", b"%d" % number, f"{number}", aliases=aliases), STAMP))
    again = PresentityTable.from_snapshot(b"".join(table.snapshot()))
    assert again.resolve(ProfileKey.user("example.com", "alias")) == keys[SNAPSHOT_CHUNK]
    again.apply(ProfileRemoved(keys[0], "0", STAMP))
    table.apply(ProfileRemoved(keys[0], "0", STAMP))
    pieces = 0
    while again.read_some():
        pieces += 1
    assert pieces == 2, "those two that nobody had asked for"
    assert again == table and again.resolve(keys[0]) is None


@given(revisions())
def test_every_alias_leads_to_its_document_and_no_other(history: list[PresentityEvent]) -> None:
    table = PresentityTable()
    for event in history:
        table.apply(event)
    expected = {alias: document.key for document in table for alias in document.aliases}
    for one in (table, PresentityTable.from_snapshot(b"".join(table.snapshot()))):
        assert {alias: found for alias in ALIASES if (found := one.resolve(alias)) is not None} == expected
        assert all(one.resolve(document.key) == document.key for document in one)


@given(st.lists(events, max_size=20), st.integers(1, 5))
def test_a_batch_leads_where_its_events_lead_one_after_the_other(history: list[PresentityEvent], size: int) -> None:
    singly, batched = PresentityTable(), PresentityTable()
    for start in range(0, len(history), 7):
        batch = Batch(batched)
        told: set[ProfileKey] = set()
        for first in range(start, min(start + 7, len(history)), size):
            batch.lay_out(history[first : min(first + size, start + 7)])
        before = dict(batched._documents)
        for event in history[start : start + 7]:
            told.update(singly.apply(event))
        assert before == batched._documents, "nothing is seen of it before all of it is"
        assert set(batch.fold()) == told
    for part in ("_documents", "_stamps", "_aliases", "domains", "windowed", "rules", "applied", "judged"):
        assert getattr(batched, part) == getattr(singly, part), part


def test_the_keys_to_be_told_include_aliases_that_come_and_go() -> None:
    x, y, z = ALIASES
    alice = ProfileDocument(ProfileKey.user("example.com", "alice"), "a/b", b"1", "p", aliases=(x, y))
    bob = ProfileDocument(ProfileKey.user("example.com", "bob"), "a/b", b"2", "p", aliases=(x,))
    table = PresentityTable()
    assert table.resolve(alice.key) is None
    assert table.apply(ProfileAdded(alice, STAMP)) == (alice.key, x, y)
    assert table.apply(ProfileAdded(bob, STAMP)) == (bob.key, x)
    # The order within a revision is that of the keys: here the alias has its new owner before the old one lets it go.
    assert table.apply(ProfileChanged(alice.but(aliases=(y, z)), STAMP)) == (alice.key, x, y, z)
    assert [table.resolve(alias) for alias in (x, y, z)] == [bob.key, alice.key, alice.key]
    assert table.apply(ProfileRemoved(alice.key, "p", STAMP)) == (alice.key, y, z)
    assert [table.resolve(alias) for alias in (x, y, z)] == [bob.key, None, None]
    assert table.get(x) is None and x not in table and len(table) == 1


def test_a_profile_of_its_own_goes_before_an_alias() -> None:
    x = ALIASES[0]
    table = PresentityTable()
    table.apply(ProfileAdded(ProfileDocument(x, "a/b", b"", "p"), STAMP))
    table.apply(
        ProfileAdded(ProfileDocument(ProfileKey.user("example.com", "a"), "a/b", b"", "p", aliases=(x,)), STAMP)
    )
    assert table.resolve(x) == x


def test_a_rejected_revision_is_remembered_until_a_good_one() -> None:
    table = PresentityTable()
    table.apply(RevisionRejected(STAMP, "main", "profiles", 1, (problem,)))
    assert table.rejected is not None and str(problem) == "user/x.yaml:3: broken (mend it)"
    table.apply(applied)
    assert table.rejected is None and table.applied == applied


def test_unknown_events_are_refused() -> None:
    with pytest.raises(UnknownEvent, match="upgrade"):
        decode_event("ProfileAdded", 99, b"{}")


@pytest.mark.parametrize("data", [b"", b"\x00", b"garbage", b"".join(PresentityTable().snapshot())[:-1]])
def test_damaged_snapshots_are_refused(data: bytes) -> None:
    with pytest.raises(SnapshotUnusable):
        PresentityTable.from_snapshot(data)


def test_an_event_of_before_urgent_revisions_and_policies_says_nothing_of_them() -> None:
    data = {
        "key": "user/example.com/alice", "etag": "written then", "content_type": "text/xml", "path": "p",
        "sensitive": False, "effective_by": None, "body": "<a/>", "variants": [], "aliases": [],
        "revision": {name: getattr(STAMP, name) for name in RevisionStamp.__slots__ if name != "urgent"},
    }  # fmt: skip
    document = ProfileDocument(ProfileKey.user("example.com", "alice"), "text/xml", b"<a/>", "p")
    assert document.notify == NotifyPolicy()
    assert decode_event("ProfileAdded", 2, json.dumps(data).encode()) == ProfileAdded(document, STAMP)
    assert decode_event("ProfileChanged", 2, json.dumps(data).encode()) == ProfileChanged(document, STAMP)


def test_an_event_of_the_version_before_has_no_variants_and_no_aliases() -> None:
    data = {
        "key": "user/example.com/alice", "etag": "written then", "content_type": "text/xml", "path": "p",
        "sensitive": True, "effective_by": None, "body_base64": "/wAB",
        "revision": {name: getattr(STAMP, name) for name in RevisionStamp.__slots__},
    }  # fmt: skip
    document = ProfileDocument(ProfileKey.user("example.com", "alice"), "text/xml", b"\xff\x00\x01", "p", True)
    assert decode_event("ProfileAdded", 1, json.dumps(data).encode()) == ProfileAdded(document, STAMP)
    assert decode_event("ProfileChanged", 1, json.dumps(data).encode()) == ProfileChanged(document, STAMP)


def test_a_snapshot_of_the_version_before_is_not_used() -> None:
    with pytest.raises(SnapshotUnusable, match="version 1"):
        old = msgspec.msgpack.encode((1, [], [], []))
        PresentityTable.from_snapshot(len(old).to_bytes(4, "big") + old)


def test_etag_covers_type_body_and_effective_by() -> None:
    tags = {entity_tag("a/b", b"x"), entity_tag("a/c", b"x"), entity_tag("a/b", b"y"), entity_tag("a/b", b"x", 0)}
    assert len(tags) == 4 and all(tag.isalnum() for tag in tags)  # tokens: SIP-ETag has no quotes


def test_a_domain_is_there_as_long_as_one_of_its_documents() -> None:
    """Devices that ask without a domain are looked for in these."""
    table = PresentityTable()
    first, second = (ProfileDocument(ProfileKey.user("example.com", name), "a/b", b"1", name) for name in "ab")
    for document in (first, second):
        table.apply(ProfileAdded(document, STAMP))
    table.apply(ProfileRemoved(first.key, first.etag, STAMP))
    assert dict(table.domains) == {"example.com": 1}
    table.apply(ProfileRemoved(second.key, second.etag, STAMP))
    assert dict(table.domains) == {}


def test_the_default_of_a_domain_is_for_devices_that_nobody_knows() -> None:
    """And for none that is an alias: it has its document."""
    own, alias, default = (ProfileKey.device("example.com", name) for name in ("desk", "0004f2a1b2c3", DEFAULT_DEVICE))
    table = PresentityTable()
    for key, aliases in ((own, (alias,)), (default, ())):
        table.apply(ProfileAdded(ProfileDocument(key, "a/b", b"1", str(key), aliases=aliases), STAMP))
    unknown = ProfileKey.device("example.com", "0004f2000000")
    for takes, expected in ((True, [own, own, default]), (False, [own, own, None])):
        found = [table.given(key, lambda domain, takes=takes: takes) for key in (own, alias, unknown)]  # type: ignore[misc]
        assert [one and one.key for one in found] == expected
    assert table.given(ProfileKey.user("example.com", "nobody"), lambda domain: True) is None
