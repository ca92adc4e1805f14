"""Which variant a phone gets by URL: the one that it gets when it subscribes."""

from gitops_profile.devices import VENDORS, shown_to, vendor_named
from gitops_profile.presentity import ProfileDocument, ProfileKey, Variant

KEY = ProfileKey.device("example.com", "0004f2a1b2c3")


def variant(body: bytes, vendor: str | None = None, model: str | None = None) -> Variant:
    return Variant(vendor, model, None, "text/plain", body)


def document(*variants: Variant) -> ProfileDocument:
    return ProfileDocument(KEY, "text/plain", b"own", "p", variants=variants)


def test_the_first_variant_that_suits_is_the_one_whatever_name_of_the_vendor_it_has() -> None:
    shown = document(variant(b"A", "Polycom*"), variant(b"B", None, "VVX*"))
    poly = vendor_named("poly")
    assert poly.names == ("polycom",)
    assert shown_to(shown, poly, "VVX_400", "4.1").body == b"A"
    assert shown_to(shown, poly, "VVX_400", "4.1") == shown.for_device("Polycom", "VVX_400", "4.1")
    assert shown_to(shown, VENDORS["snom"], "VVX_400", "4.1").body == b"B"


def test_a_phone_of_no_known_vendor_says_nothing_of_it() -> None:
    nobody = vendor_named("who knows")
    assert shown_to(document(variant(b"A", "?*")), nobody, "X", None).body == b"own"
    assert shown_to(document(variant(b"A", "generic")), nobody, "X", None).body == b"own"
    assert shown_to(document(variant(b"A", "*")), nobody, "X", None).body == b"A"
    assert shown_to(document(variant(b"A", "?*")), VENDORS["snom"], None, None).body == b"A"
