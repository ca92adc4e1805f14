"""What is held back: whole files in a scope, and whatever shares a key with them. No key is ever claimed twice."""

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
)
from gitops_profile.reconcile.suspension import Changes, changes_of, covers, divide

STAMP = RevisionStamp("a" * 40, "A <a@example.com>", "C <c@example.com>", "2026-01-01T00:00:00Z", "message")


def key(name: str) -> ProfileKey:
    return ProfileKey.user("example.com", name)


def document(name: str, folder: str = "out", body: str = "1", aliases: str = "") -> ProfileDocument:
    path = f"user/example.com/{folder}/{name}.xml"
    return ProfileDocument(key(name), "text/xml", body.encode(), path, aliases=tuple(map(key, aliases)))


def table_of(*documents: ProfileDocument) -> PresentityTable:
    table = PresentityTable()
    for one in documents:
        table.apply(ProfileAdded(one, STAMP))
    return table


def wanted(*documents: ProfileDocument, removed: str = "") -> Changes:
    return {**{one.key: one for one in documents}, **dict.fromkeys(map(key, removed))}


IN = "user/example.com/in"


@pytest.mark.parametrize(
    ("scope", "covered"),
    [("all", True), (IN, True), ("user/example.com", True), ("user", True), ("user/example.com/a", True),
     ("user/example.com/x", True), ("user/example.com/i", False), ("user/example.com/b", False),
     ("user/example.com/in/a.xml", False), ("", False)],
)  # fmt: skip
def test_a_scope_is_all_or_a_folder_or_a_profile_under_any_of_its_names(scope: str, covered: bool) -> None:
    assert covers((scope,), document("a", "in", aliases="x")) is covered


def test_changes_additions_and_removals_in_the_scope_wait_and_the_rest_goes_on() -> None:
    table = table_of(document("a", "in"), document("b", "in"), document("c"), document("d"))
    changes = wanted(document("a", "in", "2"), document("e", "in"), document("c", body="2"), removed="bd")
    division = divide(changes, table, {IN})
    assert set(division.documents) == {key("c")} and division.removed == {key("d")}
    assert division.held == wanted(document("a", "in", "2"), document("e", "in"), removed="b")


@pytest.mark.parametrize(("before", "after"), [("in", "out"), ("out", "in")])
def test_a_file_that_moves_across_the_border_stays(before: str, after: str) -> None:
    division = divide(wanted(document("a", after)), table_of(document("a", before)), {IN})
    assert not division.documents and division.held == wanted(document("a", after))


def test_an_alias_that_moves_out_of_the_scope_is_not_claimed_twice() -> None:
    table = table_of(document("a", "in", aliases="x"), document("b"))
    changes = wanted(document("a", "in"), document("b", aliases="x"), document("c"))
    assert set(divide(changes, table, {IN}).held) == {key("a"), key("b")}


def test_an_alias_that_moves_into_the_scope_is_not_lost_meanwhile() -> None:
    table = table_of(document("a", "in"), document("b", aliases="x"))
    assert set(divide(wanted(document("a", "in", aliases="x"), document("b")), table, {IN}).held) == {
        key("a"),
        key("b"),
    }


def test_a_profile_that_becomes_an_alias_in_the_scope_keeps_its_document() -> None:
    changes = wanted(document("a", "in", aliases="b"), removed="b")
    assert divide(changes, table_of(document("a", "in"), document("b")), {IN}).removed == frozenset()


def test_a_chain_of_handovers_waits_as_a_whole() -> None:
    table = table_of(document("a", "in", aliases="x"), document("b", aliases="y"), document("c", aliases="z"))
    changes = wanted(document("a", "in"), document("b", aliases="x"), document("c", aliases="y"), document("d"))
    assert set(divide(changes, table, {IN}).documents) == {key("d")}


def test_what_waited_and_is_as_it_is_in_force_again_waits_no_more() -> None:
    table = table_of(document("a", "in"), document("b", "in"))
    held = wanted(document("a", "in", "2"), removed="b")
    fresh = {key("a"): document("a", "in")}
    assert changes_of(fresh, (), table, held, whole=False) == wanted(removed="b")
    assert changes_of(fresh, (), table, held, whole=True) == wanted(removed="b")


@st.composite
def states(draw: st.DrawFn) -> dict[ProfileKey, ProfileDocument]:
    """Documents as a loader lets them be: each key and alias once."""
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=6))
    free = sorted(set("abcdefxyz") - set(names))
    owners = draw(st.lists(st.sampled_from([None, *names]), min_size=len(free), max_size=len(free)))
    found = {}
    for name in names:
        folder, body = draw(st.sampled_from(["in", "out"])), draw(st.sampled_from("12"))
        aliases = "".join(alias for alias, owner in zip(free, owners, strict=True) if owner == name)
        found[key(name)] = document(name, folder, body, aliases)
    return found


@given(states(), states(), states(), st.sets(st.sampled_from([IN, "user/example.com/a", "user/example.com/x"])))
def test_whatever_is_suspended_no_key_has_two_owners_none_is_lost_and_resuming_ends_at_the_head(
    first: dict[ProfileKey, ProfileDocument],
    second: dict[ProfileKey, ProfileDocument],
    third: dict[ProfileKey, ProfileDocument],
    scopes: set[str],
) -> None:
    table = table_of(*first.values())
    held: Changes = {}
    for head in (second, third):
        before = {claim: table.resolve(claim) for one in table for claim in (one.key, *one.aliases)}
        frozen = {one.key: one for one in table if covers(scopes, one)}
        division = divide(changes_of(head, (), table, held, whole=True), table, scopes)
        held = division.held
        _fold(table, division.documents, division.removed)
        claims = [claim for one in table for claim in (one.key, *one.aliases)]
        assert len(claims) == len(set(claims))
        assert all(table.get(one.key) == one for one in frozen.values())
        after = {claim for one in head.values() for claim in (one.key, *one.aliases)}
        assert all(table.resolve(claim) for claim in before if claim in after)
        assert changes_of(head, (), table, {}, whole=True) == held
    rest = divide(held, table, set())
    _fold(table, rest.documents, rest.removed)
    assert {one.key: one for one in table} == third and not rest.held


def _fold(table: PresentityTable, documents: dict[ProfileKey, ProfileDocument], removed: frozenset[ProfileKey]) -> None:
    for one in documents.values():
        table.apply(ProfileChanged(one.but(), STAMP))
    for gone in removed:
        table.apply(ProfileRemoved(gone, "p", STAMP))
