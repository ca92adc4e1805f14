"""Who made a phone, and how it is told."""

import pytest

from gitops_profile.devices import GENERIC, VENDORS, mac_in, model_said, vendor_named, vendor_of, vendor_of_mac


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("sip:MAC%3a00135E874B49@intern.snom.de", "00135e874b49"),
        ("sip:MAC001565f4f9e1@224.0.1.75", "001565f4f9e1"),
        ("sip:MAC%3AC074AD112233@224.0.1.75", "c074ad112233"),
        ("<sip:MAC=00304fa99948@224.0.1.75>", "00304fa99948"),
        ("sip:mac:00-13-5E-87-4B-49@fake", "00135e874b49"),
        ("<sip:MAC%3a00135E874B49>", "00135e874b49"),
        ("sip:224.0.1.75:5060", None),
        ("sip:MAC00135E874B49A@fake", None),
        ("Mitel6920 MAC:14-00-E9-1F-03-EA V:6.4", "1400e91f03ea"),
    ],
)
def test_a_mac_is_found_in_every_seen_spelling(text: str, mac: str | None) -> None:
    assert mac_in(text) == mac


def test_the_mac_counts_before_the_user_agent_and_that_before_the_event_header() -> None:
    assert vendor_of("OEM", "000413aabbcc").name == "snom"
    assert vendor_of("Yealink", "000413aabbcc", "grandstream").name == "snom"
    assert vendor_of("OEM", "ffffffaabbcc", "gigaset").name == "gigaset"
    assert vendor_of("Fanvil", None).name == "fanvil"
    assert vendor_of("OEM", None) is GENERIC


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Yealink", "yealink"),
        ("Polycom", "poly"),
        ("PANASONIC", "panasonic"),
        ("AASTRA", "mitel"),
        ("VIP", "generic"),
        (None, "generic"),
    ],
)
def test_a_vendor_has_one_name(text: str | None, name: str) -> None:
    assert vendor_named(text).name == name


def test_every_vendor_of_a_mac_has_its_habits() -> None:
    assert vendor_of_mac("000413aabbcc") == "snom" and vendor_of_mac("ffffffffffff") is None
    assert VENDORS["snom"].refetch is not None


def test_fetching_again_is_never_asked_for_by_a_reboot() -> None:
    asked = [str(vendor.refetch) for vendor in VENDORS.values() if vendor.refetch is not None]
    assert asked and not any("reboot=true" in event or event.startswith("reboot") for event in asked)


@pytest.mark.parametrize(
    ("vendor", "said", "model"),
    [
        ("snom", "snomD785", "D785"),
        ("snom", "OEM", None),
        ("generic", "oem", None),
        ("fanvil", "VOIP PHONE", None),
        ("fanvil", "Fanvil X6U Pro", "X6U Pro"),
        ("atcom", "ATCOM", None),
        ("atcom", "Atcom-D38", "D38"),
        ("linphone", "linphone-desktop", "linphone-desktop"),
        ("planet", "VIP-2140PT", "VIP-2140PT"),
        ("snom", "snom", "snom"),
        ("snom", None, None),
    ],
)
def test_a_model_is_spelled_as_in_the_user_agent(vendor: str, said: str | None, model: str | None) -> None:
    assert model_said(said, VENDORS[vendor]) == model
