"""Capabilities in a path: only what we made, for whom and as long as we made it."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.http import Capability, DocumentLinks

LINKS = DocumentLinks(b"k" * 32)
MAC = "0004132a1122"


def test_a_link_is_good_until_it_expires_and_not_after() -> None:
    segment = LINKS.segment(MAC, 1000.0)
    assert LINKS.read(segment, 1000.0) == Capability(MAC, None)
    assert LINKS.read(segment, 1000.1) is None


def test_a_link_may_be_for_one_version_alone() -> None:
    assert LINKS.read(LINKS.segment(MAC, 1000.0, "abc123"), 0.0) == Capability(MAC, "abc123")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_every_subject_comes_back_and_the_segment_is_plain(subject: str) -> None:
    segment = LINKS.segment(subject, 1000.0)
    assert LINKS.read(segment, 0.0) == Capability(subject, None)
    assert segment.isascii() and segment.isprintable() and not set(segment) & set("/?# ")


def test_a_link_of_another_server_is_none() -> None:
    assert DocumentLinks(b"x" * 32).read(LINKS.segment(MAC, 1000.0), 0.0) is None


def test_no_character_of_a_link_can_be_another() -> None:
    segment = LINKS.segment(MAC, 1000.0, "abc123")
    for at, letter in enumerate(segment):
        changed = f"{segment[:at]}{'0' if letter != '0' else '1'}{segment[at + 1 :]}"
        assert LINKS.read(changed, 0.0) is None, changed


def test_what_is_between_the_dots_cannot_be_moved() -> None:
    subject, expires, etag, sign = LINKS.segment(MAC, 1000.0, "abc").removeprefix("~").split(".")
    assert LINKS.read(f"~{subject}.{expires}{etag}..{sign}", 0.0) is None
    assert LINKS.read(f"~{subject}.{expires}.{etag}.{sign}", 0.0) is not None


def test_a_proxy_may_write_the_escapes_another_way() -> None:
    key = "user/example.com/al~ice"
    segment = LINKS.segment(key, 1000.0)
    assert "%2" not in segment.upper()  # no encoded slash: many a proxy refuses one
    assert LINKS.read(segment.replace("al~ice", quote("al~ice").replace("~", "%7E")), 0.0) == Capability(key, None)


@pytest.mark.parametrize("segment", ["", "~", "~...", f"~{MAC}", f"~{MAC}.zz..{'0' * 32}", f"~.ff..{'0' * 32}", "~é"])
def test_what_is_no_link_is_none(segment: str) -> None:
    assert LINKS.read(segment, 0.0) is None
