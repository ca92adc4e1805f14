"""Which phones a variant is for."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.presentity import MAX_DEVICE_TEXT, ProfileDocument, ProfileKey, Variant, entity_tag

KEY = ProfileKey.device("example.com", "001565a1b2c3")


def variant(vendor: str | None = None, model: str | None = None, version: str | None = None) -> Variant:
    return Variant(vendor, model, version, "text/plain", f"{vendor}{model}{version}".encode())


@given(st.text("aB*?.\\\n", max_size=8), st.text("abB.?*\\\n", max_size=12))
def test_a_glob_means_what_the_shell_means(glob: str, text: str) -> None:
    assert variant(glob).suits(text, None, None) == fnmatch.fnmatchcase(text.lower(), glob.lower())


@pytest.mark.parametrize("text", ["[a-z]", "[A-Z]"])
def test_brackets_are_themselves(text: str) -> None:
    assert variant("[a-z]").suits(text, None, None) and not variant("[a-z]").suits("b", None, None)


def test_every_glob_that_is_there_must_suit() -> None:
    both = variant("yealink", "T4*", None)
    assert both.suits("Yealink", "T46S", "66.1") and both.suits("yealink", "t4", None)
    assert not both.suits("snom", "T46S", None) and not both.suits("yealink", "W52P", None)
    assert variant(None, None, "8.1?").suits(None, None, "8.10") and not variant(None, None, "8.1?").suits(
        "a", "b", "8.1"
    )


def test_a_phone_that_says_nothing_says_the_empty_text() -> None:
    assert variant("*").suits(None, None, None) and not variant("?*").suits(None, None, None)


def test_a_text_beyond_the_bound_suits_no_glob() -> None:
    assert variant("*").suits("x" * MAX_DEVICE_TEXT, None, None)
    assert not variant("*").suits("x" * (MAX_DEVICE_TEXT + 1), None, None)


def test_a_glob_of_many_stars_costs_little() -> None:
    glob, text = "*a" * (MAX_DEVICE_TEXT // 2) + "b", "a" * MAX_DEVICE_TEXT
    start = time.process_time()
    assert not variant(glob).suits(text, None, None)
    assert time.process_time() - start < 0.5, "with plain .* it would outlast the sun"


def test_the_first_variant_that_suits_is_given() -> None:
    narrow, wide = variant("yealink", "CP*"), variant("yealink")
    document = ProfileDocument(KEY, "text/plain", b"all", "p", variants=(narrow, wide))
    assert document.for_device("yealink", "CP960", None) is narrow
    assert document.for_device("yealink", "T46S", None) is wide
    assert document.for_device("snom", "CP960", None) is document


def test_a_document_without_variants_is_given_to_everybody() -> None:
    document = ProfileDocument(KEY, "text/plain", b"all", "p")
    assert document.for_device("yealink", None, None) is document


def test_each_presentation_has_the_etag_of_what_it_gives_alone() -> None:
    """A change of one variant is no news for the phones that get another, or the document (I3)."""
    one = ProfileDocument(KEY, "text/plain", b"all", "p", variants=(variant("a"), variant("b")))
    other = ProfileDocument(
        KEY, "text/plain", b"all", "p", variants=(variant("a"), variant("b", "new")), aliases=(KEY,)
    )
    assert one != other
    assert one.etag == other.etag == entity_tag("text/plain", b"all")
    assert one.for_device("a", None, None).etag == other.for_device("a", None, None).etag != one.etag
    assert one.for_device("b", "new", None).etag != other.for_device("b", "new", None).etag


def test_a_variant_with_other_content_has_another_etag() -> None:
    one = Variant("a", None, "1.*", "text/xml", b"\xff", True, 5)
    assert one.but(body=b"") == Variant("a", None, "1.*", "text/xml", b"", True, 5)
    assert one.but(body=b"").etag != one.etag == one.but(vendor="b").etag


def test_a_document_with_other_content_has_another_etag() -> None:
    document = ProfileDocument(KEY, "text/plain", b"all", "p")
    assert document.but(body=b"one").etag == entity_tag("text/plain", b"one") != document.etag
    assert document.but(path="q").etag == document.etag
