"""Every version of one profile, whatever happened to its key, its aliases and its content."""

from dataclasses import replace

import pytest

from gitops_profile.presentity import (
    PresentityEvent,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileHistory,
    ProfileKey,
    ProfileRemoved,
    RevisionApplied,
    RevisionStamp,
    Variant,
    difference,
    request_number,
)

STAMP = RevisionStamp("a" * 40, "A <a@example.com>", "C <c@example.com>", "2026-01-01T00:00:00Z", "message")
ALICE, BOB, DESK = (ProfileKey.user("example.com", name) for name in ("alice", "bob", "desk"))


def document(key: ProfileKey, body: bytes = b"<a/>", *aliases: ProfileKey) -> ProfileDocument:
    return ProfileDocument(key, "text/xml", body, f"{key}.xml", aliases=aliases)


def removed(key: ProfileKey) -> ProfileRemoved:
    return ProfileRemoved(key, f"{key}.xml", STAMP)


def history(key: ProfileKey, *events: PresentityEvent) -> ProfileHistory:
    made = ProfileHistory(key)
    for position, event in enumerate(events, 1):
        made.apply(position, f"time {position}", event)
    return made


def positions(key: ProfileKey, *events: PresentityEvent) -> tuple[ProfileKey, list[int]]:
    made = history(key, *events)
    return made.owner, [version.position for version in made.versions()]


def test_versions_are_those_of_the_key_in_their_order() -> None:
    first, second = document(ALICE), document(ALICE, b"<b/>")
    made = history(
        ALICE,
        ProfileAdded(first, STAMP),
        ProfileAdded(document(BOB), STAMP),
        ProfileChanged(second, STAMP),
        removed(ALICE),
        RevisionApplied(STAMP, "main", "profiles", 1, 1, 0, 0),
        ProfileAdded(first, STAMP),
    )
    found = [(v.position, v.time, v.change, v.document) for v in made.versions()]
    assert found == [
        (1, "time 1", "added", first),
        (3, "time 3", "changed", second),
        (4, "time 4", "removed", None),
        (6, "time 6", "added", first),
    ]
    assert made.versions()[2].path == "user/example.com/alice.xml" and made.owner == ALICE


def test_a_key_that_never_was_has_none() -> None:
    assert positions(DESK, ProfileAdded(document(ALICE), STAMP), removed(BOB)) == (DESK, [])


def test_an_alias_has_the_versions_of_its_document_also_of_before_it_was_one() -> None:
    events = (ProfileAdded(document(ALICE), STAMP), ProfileChanged(document(ALICE, b"<a/>", DESK), STAMP))
    assert positions(DESK, *events) == (ALICE, [1, 2])


def test_an_alias_that_moved_has_the_versions_of_where_it_is_now() -> None:
    events = (
        ProfileAdded(document(ALICE, b"<a/>", DESK), STAMP),
        ProfileAdded(document(BOB), STAMP),
        ProfileChanged(document(ALICE), STAMP),
        ProfileChanged(document(BOB, b"<b/>", DESK), STAMP),
    )
    assert positions(DESK, *events) == (BOB, [2, 4])


def test_an_alias_that_nobody_has_any_more_is_still_found() -> None:
    events = (
        ProfileAdded(document(ALICE, b"<a/>", DESK), STAMP),
        ProfileChanged(document(ALICE), STAMP),
        removed(ALICE),
    )
    assert positions(DESK, *events) == (ALICE, [1, 2, 3])


def test_a_profile_of_its_own_goes_before_an_alias_until_it_is_removed() -> None:
    own, other = ProfileAdded(document(DESK), STAMP), ProfileAdded(document(ALICE, b"<a/>", DESK), STAMP)
    assert positions(DESK, other, own) == (DESK, [2])
    assert positions(DESK, own, removed(DESK), other) == (ALICE, [3])
    assert positions(DESK, other, own, removed(DESK)) == (DESK, [2, 3]), "its own versions, the removal the last"


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("Merge pull request #12 from org/branch", 12),
        ("Dora moves (#7)", 7),
        ("Merge branch 'x' into 'main' See merge request group/sub/project!345", 345),
        ("Dora moves (!8)", 8),
        ("Dora moves !8", None),
        ('Revert "Merge pull request #12 from org/branch"', None),
        ('Revert "Merge pull request #12 from org/branch" (#15)', 15),
        ("Merge pull request #15 from org/revert-12-branch", 15),
        ('Revert "Dora moves (#7)"', None),
        ('Revert "Dora moves (#7)" (#9)', 9),
        ("fix #7 at last", None),
        ("(#7) is not the end", None),
        ("", None),
    ],
)
def test_the_request_is_read_from_the_subject(subject: str, number: int | None) -> None:
    assert request_number(subject) == number
    (version,) = history(ALICE, ProfileAdded(document(ALICE), replace(STAMP, message=subject))).versions()
    assert version.request == number


def test_a_difference_is_of_lines_facts_aliases_and_variants() -> None:
    before = document(ALICE, b"one\ntwo\n", BOB).but(variants=(Variant("yea*", None, None, "text/plain", b"y\n"),))
    after = document(ALICE, b"one\n2\n", DESK).but(effective_by=5, path="user/example.com/hq/alice.xml")
    lines = difference(before, after)
    assert lines[:4] == [
        "path: user/example.com/alice.xml -> user/example.com/hq/alice.xml",
        "effective_by: None -> 5",
        f"-alias {BOB}",
        f"+alias {DESK}",
    ]
    assert {"-two", "+2", "-y"} <= set(lines) and "--- variant vendor=yea* before" in lines
    assert difference(after, after) == []
    assert difference(None, after)[0] == "--- document before"


def test_binary_bodies_and_line_ends_are_told_by_their_size() -> None:
    binary = difference(document(ALICE, b"\xff\0"), document(ALICE, b"\xff\0\1"))
    assert binary == ["document: binary, 2 -> 3 bytes"]
    ends = difference(document(ALICE, b"a\n"), document(ALICE, b"a\r\n"))
    assert ends == ["document: 2 -> 3 bytes, the lines are the same"]


def test_nothing_sensitive_is_in_a_difference_on_either_side() -> None:
    opened, secret = document(ALICE, b"open\n"), document(ALICE, b"secret\n").but(sensitive=True)
    for pair in ((opened, secret), (secret, opened), (None, secret), (secret, None)):
        text = "\n".join(difference(*pair))
        assert "the content is sensitive and not shown" in text and "secret\n" not in text and "-secret" not in text
