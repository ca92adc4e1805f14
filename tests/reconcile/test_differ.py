"""The fewest events that lead from one state to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.presentity import (
    PresentityTable,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    ProfileRemoved,
    RevisionStamp,
    Variant,
)
from gitops_profile.reconcile.differ import ProfileEvent, diff

STAMP = RevisionStamp("a" * 40, "A <a@example.com>", "C <c@example.com>", "2026-01-01T00:00:00Z", "message")
A, B, C, X, Y = (ProfileKey.user("example.com", name) for name in "abcxy")
VARIANT = Variant("yealink", None, None, "text/plain", b"v")
BASE = ProfileDocument(A, "text/plain", b"1", "user/example.com/a.yaml", variants=(VARIANT,), aliases=(X,))


def step(table: PresentityTable, *documents: ProfileDocument) -> list[ProfileEvent]:
    """What leads to exactly these documents, folded in."""
    events = diff({document.key: document for document in documents}, (), table, STAMP, whole=True)
    for event in events:
        table.apply(event)
    return events


@pytest.mark.parametrize(
    "other",
    [
        BASE.but(body=b"2"),
        BASE.but(variants=()),
        BASE.but(variants=(VARIANT.but(vendor="snom"),)),
        BASE.but(variants=(VARIANT.but(body=b"w"),)),
        BASE.but(variants=(VARIANT.but(sensitive=True),)),
        BASE.but(variants=(VARIANT, VARIANT.but(vendor="snom"))),
        BASE.but(aliases=()),
        BASE.but(aliases=(X, Y)),
    ],
)
def test_any_difference_of_a_document_its_variants_or_aliases_is_a_change(other: ProfileDocument) -> None:
    table = PresentityTable()
    assert step(table, BASE) == [ProfileAdded(BASE, STAMP)]
    assert step(table, other) == [ProfileChanged(other, STAMP)]
    assert step(table, other) == []


def test_a_profile_that_becomes_an_alias_is_removed_and_found() -> None:
    table = PresentityTable()
    step(table, BASE.but(aliases=()), BASE.but(key=X, aliases=()))
    assert [type(event) for event in step(table, BASE)] == [ProfileChanged, ProfileRemoved]
    assert table.resolve(X) == A and len(table) == 1
    step(table, BASE.but(aliases=()), BASE.but(key=X, aliases=()))
    assert table.resolve(X) == X


documents = st.builds(
    ProfileDocument,
    key=st.none(),
    content_type=st.just("text/plain"),
    body=st.sampled_from([b"1", b"2"]),
    path=st.just("p"),
    variants=st.sampled_from([(), (VARIANT,), (VARIANT, VARIANT.but(vendor="snom"))]),
)


@st.composite
def states(draw: st.DrawFn) -> list[ProfileDocument]:
    """Documents of some keys; each alias belongs to one of them at most, and to none that has its name."""
    wanted = draw(st.dictionaries(st.sampled_from([A, B, C, X, Y]), documents, max_size=5))
    owners = {alias: draw(st.sampled_from([None, *wanted])) for alias in (X, Y) if alias not in wanted}
    return [
        document.but(key=key, aliases=tuple(alias for alias, owner in owners.items() if owner == key))
        for key, document in wanted.items()
    ]


@given(st.lists(states(), max_size=5))
def test_the_events_lead_to_the_wanted_state_and_then_there_are_none(history: list[list[ProfileDocument]]) -> None:
    table = PresentityTable()
    for wanted in history:
        step(table, *wanted)
        fresh = PresentityTable()
        step(fresh, *wanted)
        assert table == fresh and step(table, *wanted) == []
        for key in (A, B, C, X, Y):
            assert table.resolve(key) == next((d.key for d in wanted if key in (d.key, *d.aliases)), None)
