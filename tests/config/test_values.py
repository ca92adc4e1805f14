"""Addresses, durations and networks: `parse` and `str` are inverse, and what is wrong is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gitops_profile.config import HostPort, Listener
from gitops_profile.config.values import Network, Seconds

PORTS = st.integers(0, 65535)
ADDRESSES = st.ip_addresses().map(str)


@given(st.sampled_from(["udp", "tcp"]), ADDRESSES, PORTS)
def test_a_listener_reads_what_it_writes(transport: str, host: str, port: int) -> None:
    listener = Listener(transport, host, port)
    assert Listener.parse(str(listener)) == listener


@given(ADDRESSES, PORTS)
def test_an_address_reads_what_it_writes(host: str, port: int) -> None:
    assert HostPort.parse(str(HostPort(host, port))) == HostPort(host, port)


def test_localhost_is_an_address() -> None:
    assert Listener.parse("tcp:localhost:5060") == Listener("tcp", "127.0.0.1", 5060)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("udp:127.0.0.1:5060", True),
        ("udp:127.9.9.9:5060", True),
        ("udp:[::1]:5060", True),
        ("udp:0.0.0.0:5060", False),
        ("udp:[::]:5060", False),
        ("udp:192.0.2.1:5060", False),
    ],
)
def test_only_loopback_is_loopback(text: str, loopback: bool) -> None:
    assert Listener.parse(text).is_loopback is loopback
    assert HostPort.parse(text.removeprefix("udp:")).is_loopback is loopback


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("127.0.0.1:5060", "must begin with one of udp:, tcp:"),
        ("sctp:127.0.0.1:5060", "must begin with one of"),
        ("udp:127.0.0.1", "is not TRANSPORT:ADDRESS:PORT"),
        ("udp:127.0.0.1:", "is not TRANSPORT"),
        ("udp:127.0.0.1:65536", "is not TRANSPORT"),
        ("udp:127.0.0.1:-1", "is not TRANSPORT"),
        ("udp:::1:5060", "is not TRANSPORT"),
        ("udp:[127.0.0.1:5060", "is not TRANSPORT"),
        ("udp:pbx.example.com:5060", "is no IP address"),
        ("udp:256.0.0.1:5060", "is no IP address"),
    ],
)
def test_what_is_no_listener_is_said(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Listener.parse(text)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (30, 30.0),
        (0.5, 0.5),
        ("30", 30.0),
        ("30s", 30.0),
        ("1.5 m", 90.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("5ms", 0.005),
    ],
)
def test_a_duration_is_seconds(written: object, seconds: float) -> None:
    assert TypeAdapter(Seconds).validate_python(written) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["", "s", "-1s", "1w", "1 s 2", True, None, []])
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Seconds).validate_python(written)


@pytest.mark.parametrize("written", ["192.0.2.1/28", "192.0.2.0/33", "here", 5, None])
def test_what_is_no_network_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Network).validate_python(written)
