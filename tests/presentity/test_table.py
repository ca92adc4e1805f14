"""The table is a fold: replay, snapshot and live running agree."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.presentity import (
    HistoryRewritten,
    PresentityEvent,
    PresentityTable,
    ProblemRecord,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    ProfileRemoved,
    RevisionApplied,
    RevisionRejected,
    RevisionStamp,
    RevisionSuperseded,
    SnapshotUnusable,
    UnknownEvent,
    decode_event,
    encode_event,
    entity_tag,
)

STAMP = RevisionStamp("a" * 40, "A <a@example.com>", "C <c@example.com>", "2026-01-01T00:00:00Z", "message")
keys = st.sampled_from([ProfileKey.user("example.com", n) for n in "abc"] + [ProfileKey.local_network("example.com")])
documents = st.builds(
    ProfileDocument,
    key=keys,
    content_type=st.sampled_from(["text/xml", "text/plain"]),
    body=st.binary(max_size=20),
    path=st.just("user/example.com/x.xml"),
    sensitive=st.booleans(),
    effective_by=st.none() | st.integers(0, 99),
)
stamps = st.just(STAMP)
applied = RevisionApplied(STAMP, "main", "profiles", 1, 1, 0, 0)
problem = ProblemRecord("user/x.yaml", 3, None, "broken", "mend it")
events: st.SearchStrategy[PresentityEvent] = st.one_of(
    st.builds(ProfileAdded, documents, stamps),
    st.builds(ProfileChanged, documents, stamps),
    st.builds(ProfileRemoved, keys, st.just("p"), stamps),
    st.just(applied),
    st.just(RevisionRejected(STAMP, "main", "profiles", 1, (problem,))),
    st.just(RevisionSuperseded(STAMP, "main")),
    st.just(HistoryRewritten("main", "a", "b")),
)


@given(events)
def test_decode_is_the_inverse_of_encode_through_json(event: PresentityEvent) -> None:
    type_, version, _, data = encode_event(event)
    assert decode_event(type_, version, json.loads(json.dumps(data))) == event


@given(st.lists(events, max_size=20))
def test_snapshot_restores_the_fold(history: list[PresentityEvent]) -> None:
    table = PresentityTable()
    for event in history:
        table.apply(event)
    again = PresentityTable.from_snapshot(table.snapshot())
    assert again == table and again.applied == table.applied and again.rejected == table.rejected
    for document in table:
        assert again.revision_of(document.key) == table.revision_of(document.key)


def test_a_rejected_revision_is_remembered_until_a_good_one() -> None:
    table = PresentityTable()
    table.apply(RevisionRejected(STAMP, "main", "profiles", 1, (problem,)))
    assert table.rejected is not None and str(problem) == "user/x.yaml:3: broken (mend it)"
    table.apply(applied)
    assert table.rejected is None and table.applied == applied


def test_unknown_events_are_refused() -> None:
    with pytest.raises(UnknownEvent, match="upgrade"):
        decode_event("ProfileAdded", 99, {})


@pytest.mark.parametrize("data", [b"", b"\x00", b"garbage", PresentityTable().snapshot()[:-1]])
def test_damaged_snapshots_are_refused(data: bytes) -> None:
    with pytest.raises(SnapshotUnusable):
        PresentityTable.from_snapshot(data)


def test_etag_covers_type_body_and_effective_by() -> None:
    tags = {entity_tag("a/b", b"x"), entity_tag("a/c", b"x"), entity_tag("a/b", b"y"), entity_tag("a/b", b"x", 0)}
    assert len(tags) == 4 and all(tag.isalnum() for tag in tags)  # tokens: SIP-ETag has no quotes
