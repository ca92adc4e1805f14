"""Keys: every spelling of one device, user or network is one key (protocol.md 2.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.presentity import InvalidKey, ProfileKey, canonical_device


@pytest.mark.parametrize(
    "text",
    [
        "0004f2a1b2c3", "0004F2A1B2C3", "00:04:f2:a1:b2:c3", "00-04-F2-A1-B2-C3", "0004.f2a1.b2c3", "MAC:0004F2A1B2C3",
        "mac0004f2a1b2c3", "MAC=0004f2a1b2c3", "urn:uuid:00000000-0000-1000-8000-0004F2A1B2C3",
        "00000000-0000-1000-8000-0004f2a1b2c3", "urn:uuid:00000000-0000-1000-0000-0004F2A1B2C3",
    ],
)  # fmt: skip
def test_every_spelling_of_a_mac_is_one_device(text: str) -> None:
    """Checklist row 55: RFC 6080 §5.1.4.2, RFC 5626 §9.1."""
    assert canonical_device(text) == "0004f2a1b2c3"


@pytest.mark.parametrize("text", ["urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", "f81d4fae7dec11d0a76500a0c91e6bf6"])
def test_a_random_uuid_is_no_mac(text: str) -> None:
    assert canonical_device(text) == "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


@pytest.mark.parametrize("text", ["lobby", "00:04:f2:a1:b2", "00:04-f2:a1:b2:c3"])
def test_anything_else_names_itself(text: str) -> None:
    assert canonical_device(text) == text


@pytest.mark.parametrize("domain", ["", "a b", "exa mple.com", "-x.com", "a..b", "x" * 300, "a/b"])
def test_bad_domains_are_refused(domain: str) -> None:
    with pytest.raises(InvalidKey):
        ProfileKey.user(domain, "alice")


@pytest.mark.parametrize("user", ["", "a\0b", "a\nb", "x" * 300])
def test_bad_users_are_refused(user: str) -> None:
    with pytest.raises(InvalidKey):
        ProfileKey.user("example.com", user)


def test_domain_is_case_blind_and_the_user_is_not() -> None:
    assert ProfileKey.user("EXAMPLE.com.", "Alice") == ProfileKey.user("example.com", "Alice")
    assert ProfileKey.user("example.com", "Alice") != ProfileKey.user("example.com", "alice")


@given(st.text(min_size=1, max_size=40))
def test_parse_is_the_inverse_of_str(name: str) -> None:
    try:
        keys = [ProfileKey.user("example.com", name), ProfileKey.device("example.com", name)]
    except InvalidKey:
        return
    for key in keys:
        assert ProfileKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "user/example.com", "phone/example.com/x", "local-network/example.com/x"])
def test_texts_that_are_no_key(text: str) -> None:
    with pytest.raises(InvalidKey):
        ProfileKey.parse(text)
