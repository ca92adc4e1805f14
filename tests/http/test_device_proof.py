"""The MAC in a certificate, wherever its vendor puts it."""

from typing import Any

import pytest

from gitops_profile.http import certificate_device

MAC = "0004132a1122"


def certificate(common_name: str = "", serial: str = "", alternatives: tuple[tuple[str, str], ...] = ()) -> Any:
    """As `SSLSocket.getpeercert` gives it."""
    subject = [((name, text),) for name, text in (("commonName", common_name), ("serialNumber", serial)) if text]
    return {"subject": (*subject, (("organizationName", "Some Vendor 001565aabbcc"),)), "subjectAltName": alternatives}


@pytest.mark.parametrize(
    "one",
    [
        certificate(MAC),
        certificate("0004132A1122"),
        certificate("00:04:13:2a:11:22"),
        certificate("00-04-13-2A-11-22"),
        certificate("snomD785-0004132A1122"),
        certificate("CP-8841-SEP0004132A1122"),
        certificate("Some Phone 0004132A1122 (factory)"),
        certificate("a phone", serial="PID:CP-8841 SN:0004132a1122"),
        certificate("a phone", alternatives=(("DNS", "0004132a1122.phones.example.com"),)),
        certificate("a phone", alternatives=(("URI", "urn:uuid:00000000-0000-1000-8000-0004132A1122"),)),
        # The common name counts first.
        certificate(MAC, serial="001565aabbcc", alternatives=(("DNS", "001565aabbcc.example.com"),)),
        certificate(f"{MAC} 00:04:13:2A:11:22"),
    ],
)
def test_the_mac_of_a_certificate_is_found(one: Any) -> None:
    assert certificate_device(one) == MAC


@pytest.mark.parametrize(
    "one",
    [
        None,
        {},
        certificate(),
        certificate("a phone"),
        certificate("0004132a1122ff"),  # a longer number
        certificate("0004132a1122 and 0004132a3344"),  # which of them?
        certificate("a phone", alternatives=(("IP Address", "0:4:13:2a:11:22:33:44"), ("email", f"{MAC}@example.com"))),
    ],
)
def test_a_certificate_without_one_mac_is_nobodys(one: Any) -> None:
    assert certificate_device(one) is None
