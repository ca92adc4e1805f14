"""Which clients are counted together."""

import pytest

from gitops_profile.http import counted_address
from gitops_profile.sip import source_of


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("unknown", "unknown"),
        ("nonsense:", "nonsense:"),
    ],
)
def test_a_client_is_counted_as_sip_counts_it(address: str, counted: str) -> None:
    assert counted_address(address) == source_of(address) == counted


def test_an_ipv4_address_in_ipv6_words_is_that_address() -> None:
    assert counted_address("::ffff:192.0.2.7") == "192.0.2.7"
