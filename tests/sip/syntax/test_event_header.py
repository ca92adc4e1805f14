"""The Event header as phones write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.syntax import EventHeader, SIPSyntaxError

DEVICE = {"profile-type": "device"}


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ('ua-profile;profile-type="device";vendor="OEM";model="OEM";version="7.1.19"',
         DEVICE | {"vendor": "OEM", "model": "OEM", "version": "7.1.19"}),  # Snom
        ('ua-profile;profile-type="device";vendor="yealink";model="W52P";version="25.81.0.10"',
         DEVICE | {"vendor": "yealink", "model": "W52P", "version": "25.81.0.10"}),
        ('ua-profile;profile-type="application";model="420HD";version="1.2.1_build_6"',
         {"profile-type": "application", "model": "420HD", "version": "1.2.1_build_6"}),  # AudioCodes: no vendor
        ('ua-profile;profile-type=device;vender="Panasonic"', DEVICE | {"vender": "Panasonic"}),  # sic
        ('ua-profile ; profile-type = device ; VENDOR = "a;b=\\"c\\", d"', DEVICE | {"vendor": 'a;b="c", d'}),
        ("ua-profile;id=7", {"id": "7"}),
        ("ua-profile", {}),
        ("ua-profile;", {}),
        ("ua-profile;id=1;ID=2", {"id": "1"}),
    ],
)  # fmt: skip
def test_event(text: str, parameters: dict[str, str | None]) -> None:
    event = EventHeader.parse(text)
    assert event.package == "ua-profile" and event.parameters == parameters and event.id == parameters.get("id")


def test_the_package_is_compared_as_it_is() -> None:
    assert EventHeader.parse("UA-Profile").package == "UA-Profile"


@pytest.mark.parametrize("text", ["", ";id=1", "<>", "ua profile", 'ua-profile;vendor="x', "ua-profile, presence"])
def test_bad_event_is_489(text: str) -> None:
    with pytest.raises(SIPSyntaxError) as caught:
        EventHeader.parse(text)
    assert caught.value.status == 489


@given(st.text())
def test_event_of_any_text_parses_or_is_489(text: str) -> None:
    for candidate in (text, f"ua-profile;{text}"):
        try:
            assert EventHeader.parse(candidate).package
        except SIPSyntaxError as error:
            assert error.status == 489
