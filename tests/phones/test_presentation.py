"""Which of a document's variants a phone gets for what it says of itself (RFC 6080 §6.2.2, phones.md 2.1 and 3)."""

import pytest

from gitops_profile.presentity import ProfileChanged, ProfileKey, Variant
from tests.sip.harness import statuses

from .handset import STAMP, Handset, Household, document
from .traffic_index import BY_NAME

VENDORS = ("yealink", "grandstream", "fanvil", "panasonic", "snom", "gigaset", "poly*", "cisco*", "mitel*", "planet")


def household(key: str) -> Household:
    """Every document of one key has a variant for each vendor."""
    lab = Household()
    variants = tuple(Variant(vendor, None, None, "text/xml", vendor.encode()) for vendor in VENDORS)
    assert ProfileKey.parse(key) == document(key, 1).key
    lab.table.apply(ProfileChanged(document(key, 1).but(variants=variants), STAMP))
    return lab


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("yealink-device", b"yealink"), ("yealink-user", b"yealink"), ("grandstream-user", b"grandstream"),
        ("fanvil-device", b"fanvil"), ("fanvil-user", b"fanvil"), ("panasonic-device", b"panasonic"),
        ("panasonic-user", b"panasonic"), ("snom-device", b"snom"), ("poly-device", b"poly*"),
        ("cisco-mpp-device", b"cisco*"), ("mitel-device", b"mitel*"), ("planet-device", b"planet"),
    ],
)  # fmt: skip
def test_a_vendor_is_known_in_every_writing(name: str, vendor: bytes) -> None:
    """`vender`, capitals, blanks round the marks; and what a refresh leaves out stays known."""
    row = BY_NAME[name]
    phone = Handset(household(row.document), row)
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert phone.notifies[0].body == vendor
    phone.send(phone.again())
    assert phone.notifies[1].body == vendor


@pytest.mark.parametrize("name", ["audiocodes-device", "audiocodes-user", "linphone-device", "snom-user"])
def test_who_does_not_say_gets_what_all_others_get(name: str) -> None:
    row = BY_NAME[name]
    phone = Handset(household(row.document), row)
    phone.subscribe()
    assert phone.notifies[0].body == document(row.document, 1).body


def test_an_oem_is_known_by_its_user_agent() -> None:
    row = BY_NAME["gigaset-device"]
    phone = Handset(household(row.document), row)
    phone.subscribe()
    assert phone.notifies[0].body == b"gigaset"
