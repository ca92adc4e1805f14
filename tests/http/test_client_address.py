"""Who sent a request, and which clients are counted together."""

from ipaddress import IPv4Network, IPv6Network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gitops_profile.http import counted_address
from gitops_profile.http.client_address import client_address, is_proxy
from gitops_profile.http.plain_get import Asking
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


def asked(peer: str, *forwarded: str) -> Asking:
    made = make_mocked_request("GET", "/", headers=CIMultiDict([("X-Forwarded-For", one) for one in forwarded]))
    made._transport_peername = (peer, 40000)
    return made


PROXIES = (IPv4Network("192.0.2.0/28"), IPv6Network("2001:db8:ffff::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", ["198.51.100.7"], "198.51.100.7"),
        ("192.0.2.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("192.0.2.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("192.0.2.1", ["[::ffff:198.51.100.7]:4711"], "198.51.100.7"),
        ("192.0.2.1", ["2001:db8::1"], "2001:db8::1"),
        ("192.0.2.1", ["[2001:DB8:0::1]"], "2001:db8::1"),
        ("192.0.2.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("2001:db8:ffff::1", ["198.51.100.7 , 192.0.2.2:80"], "198.51.100.7"),
        ("192.0.2.1", ["203.0.113.9", "198.51.100.7, ::ffff:192.0.2.2"], "198.51.100.7"),
        ("::ffff:192.0.2.1", ["198.51.100.7"], "198.51.100.7"),
        ("::ffff:198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),  # nobody believes him
        ("192.0.2.1", ["198.51.100.7, unknown"], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7:port"], "192.0.2.1"),
        ("192.0.2.1", ["[2001:db8::1"], "192.0.2.1"),
        ("192.0.2.1", ["[]:1"], "192.0.2.1"),
        ("192.0.2.1", [], "192.0.2.1"),
    ],
)
def test_a_proxy_may_write_an_address_in_any_of_the_usual_ways(peer: str, forwarded: list[str], client: str) -> None:
    assert client_address(asked(peer, *forwarded), PROXIES) == client


def test_a_peer_is_the_same_in_ipv6_words_where_there_is_no_proxy() -> None:
    assert client_address(asked("::ffff:198.51.100.7", "203.0.113.9"), ()) == "198.51.100.7"
    assert is_proxy("::ffff:192.0.2.1", PROXIES) and not is_proxy("::ffff:198.51.100.7", PROXIES)
