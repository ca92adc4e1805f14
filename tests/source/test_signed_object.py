"""What a signature is about, taken out of objects as git writes them, and out of those that it would not."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.source.signed_object import MAX_BYTES, Malformed, parse_commit_object, parse_tag_object
from tests.signing import with_signature

COMMIT = b"""tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
parent 1111111111111111111111111111111111111111
author Ann Author <ann@example.com> 1590969600 +0200
committer Carl <carl@example.com> 1590969601 +0200

subject

-----BEGIN PGP SIGNATURE----- is what signatures begin with
"""
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\nabc=\n-----END PGP SIGNATURE-----"
SIGNED_EARLY = COMMIT.replace(b"\nparent", b"\ngpgsig " + SIGNATURE.replace(b"\n", b"\n ") + b"\nparent", 1)
"""Its payload is COMMIT, and git sees no parents: it stops to look for them at a header of another kind."""
TAG = b"""object 1111111111111111111111111111111111111111
type commit
tag v1
tagger Ann Author <ann@example.com> 1590969600 +0200

words
"""


def id_of(data: bytes, kind: str = "commit") -> str:
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data, usedforsecurity=False).hexdigest()


def test_the_payload_is_the_commit_without_its_signature() -> None:
    data = with_signature(COMMIT, SIGNATURE)
    found = parse_commit_object(id_of(data), data)
    assert (found.payload, found.signature) == (COMMIT, SIGNATURE)
    assert (found.who, found.when) == ("Ann Author <ann@example.com>", 1590969601)
    assert parse_commit_object(id_of(COMMIT), COMMIT).signature is None


def test_a_signature_between_other_headers_and_one_in_a_merged_tag() -> None:
    merged = b"mergetag object 1\n tag v1\n gpgsig x\n -----BEGIN PGP SIGNATURE-----\nencoding latin1\n"
    payload = COMMIT.replace(b"\n\nsubject", b"\n" + merged.rstrip() + b"\n\nsubject", 1)
    data = with_signature(payload, SIGNATURE).replace(b"\ngpgsig", b"\nx-before 1\ngpgsig", 1)
    found = parse_commit_object(id_of(data), data)
    assert found.signature == SIGNATURE and b"\n gpgsig x\n" in found.payload
    assert parse_commit_object(id_of(payload), payload).signature is None


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (with_signature(with_signature(COMMIT, SIGNATURE), SIGNATURE), "more than one signature"),
        (with_signature(COMMIT, SIGNATURE, b"gpgsig-sha256"), "another kind of repository"),
        (COMMIT.replace(b"\ncommitter", b"\ncommitter Eve <e@x> 1 +0000\ncommitter", 1), "more than one committer"),
        (COMMIT.replace(b"\nauthor", b"\nauthor Eve <e@x> 1 +0000\nauthor", 1), "more than one author"),
        (SIGNED_EARLY, "headers are not in the order"),
        (COMMIT.replace(b"\n\nsubject", b"\nparent 0123\n\nsubject", 1), "headers are not in the order"),
        (COMMIT.replace(b"\n\nsubject", b"\ntree 0123\n\nsubject", 1), "headers are not in the order"),
        (b"x" * (MAX_BYTES + 1), "more than 1 MB"),
    ],
)
def test_commits_of_which_there_is_more_than_one_way_to_read_them(data: bytes, what: str) -> None:
    with pytest.raises(Malformed, match=what):
        parse_commit_object(id_of(data), data)


def test_bytes_that_are_not_those_of_the_id() -> None:
    with pytest.raises(Malformed, match="not those of its id"):
        parse_commit_object(id_of(COMMIT), COMMIT.replace(b"subject", b"Subject"))
    with pytest.raises(Malformed, match="not those of its id"):
        parse_tag_object(id_of(COMMIT), COMMIT)


def test_a_tag_and_its_signature_behind_its_message() -> None:
    data = TAG + SIGNATURE + b"\n"
    found = parse_tag_object(id_of(data, "tag"), data)
    assert (found.payload, found.signature, found.name, found.target) == (TAG, SIGNATURE + b"\n", "v1", "1" * 40)
    assert (found.who, found.when) == ("Ann Author <ann@example.com>", 1590969600)
    assert parse_tag_object(id_of(TAG, "tag"), TAG).signature is None


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (TAG + SIGNATURE + b"\n" + SIGNATURE, "more than one signature"),
        (TAG.replace(b"\ntagger", b"\ngpgsig-sha256 x\ntagger") + SIGNATURE, "another kind of repository"),
        (TAG.replace(b"type commit\ntag v1", b"tag v1\ntype commit"), "no tag that git would make"),
        (b"", "no tag that git would make"),
    ],
)
def test_tags_of_which_there_is_more_than_one_way_to_read_them(data: bytes, what: str) -> None:
    with pytest.raises(Malformed, match=what):
        parse_tag_object(id_of(data, "tag"), data)


@given(st.binary(max_size=300))
def test_no_bytes_are_a_crash(data: bytes) -> None:
    for parse, kind in ((parse_commit_object, "commit"), (parse_tag_object, "tag")):
        try:
            parse(id_of(data, kind), data)
        except Malformed:
            continue
