"""A group on one interface. Two interfaces and other processes: tests/system/test_plug_and_play.py."""

import asyncio
import os
import socket
import struct
from ipaddress import IPv4Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip import Flow
from gitops_profile.transport import GroupListener, Interface, InterfaceUnusable, find_interface, hear_group
from gitops_profile.transport.multicast import _payload

GROUP = "239.255.77.75"


def interface(*addresses: str) -> Interface:
    return Interface("eth0", 2, tuple(map(IPv4Interface, addresses)))


@pytest.mark.parametrize("near", ["192.0.2.1", "192.0.2.254", "198.51.100.77", "169.254.3.4"])
def test_whoever_is_on_any_network_of_the_interface_is_near(near: str) -> None:
    assert interface("192.0.2.10/24", "198.51.100.65/26").is_near(near)


@pytest.mark.parametrize(
    "far",
    ["192.0.3.1", "198.51.100.1", "0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.1.75", "2001:db8::1", "", "a",
     "192.0.2.0", "192.0.2.255", "198.51.100.127"],
)  # fmt: skip
def test_everybody_else_is_far_and_so_is_what_is_no_machine(far: str) -> None:
    assert not interface("192.0.2.10/24", "198.51.100.65/26").is_near(far)


def test_both_ends_of_a_cable_are_machines() -> None:
    assert interface("192.0.2.10/31").is_near("192.0.2.11") and not interface("192.0.2.10/32").is_near("192.0.2.11")


def test_everybody_is_answered_from_the_address_on_his_own_network() -> None:
    own = interface("192.0.2.10/24", "198.51.100.65/26")
    assert own.address_towards("198.51.100.66") == "198.51.100.65"
    assert own.address_towards("192.0.2.66") == own.address_towards("169.254.1.1") == own.address == "192.0.2.10"


def test_an_interface_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InterfaceUnusable, match=r"there is no interface nosuch7; there are .*\blo\b"):
        find_interface("nosuch7")


def test_the_loopback_interface_is_found_with_its_network() -> None:
    found = find_interface("lo")
    assert found.address == "127.0.0.1" and found.is_near("127.9.9.9") and found.index == socket.if_nametoindex("lo")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def phone(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    sock.settimeout(5)
    return sock


async def test_what_is_sent_to_the_group_is_heard_and_answered_from_the_interfaces_own_address() -> None:
    loop, lo, port = asyncio.get_running_loop(), find_interface("lo"), free_port()
    heard: asyncio.Queue[tuple[bytes, Flow]] = asyncio.Queue()
    listener = GroupListener(
        hear_group(GROUP, port, lo), port, lo, loop.add_reader, loop.remove_reader,
        lambda data, flow: heard.put_nowait((data, flow)), lambda: None,
    )  # fmt: skip
    try:
        with phone("127.0.0.77") as other:
            other.sendto(b"to the group", (GROUP, port))
            async with asyncio.timeout(5):
                data, flow = await heard.get()
            assert data == b"to the group" and flow.remote == other.getsockname() and flow.local[0] == "127.0.0.1"
            listener.send(b"answer", flow)
            assert await asyncio.to_thread(other.recvfrom, 100) == (b"answer", flow.local)
            other.sendto(b"to the answer's sender", flow.local)
            async with asyncio.timeout(5):
                assert (await heard.get())[0] == b"to the answer's sender"
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("option", "kind"), [(socket.SO_REUSEADDR, socket.SOCK_DGRAM), (socket.SO_REUSEPORT, socket.SOCK_RAW)]
)
def test_a_port_is_shared_with_whoever_shares_it_and_else_read_beside_him(option: int, kind: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, option, 1)
        other.bind(("0.0.0.0", 0))
        try:
            with hear_group(GROUP, other.getsockname()[1], find_interface("lo")) as ours:
                assert ours.type == kind
        except InterfaceUnusable as error:
            assert os.geteuid() and kind == socket.SOCK_RAW and "CAP_NET_RAW" in str(error)


def test_our_own_socket_on_the_port_shares_it_for_a_moment_only() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("0.0.0.0", 0))
        port = own.getsockname()[1]
        with hear_group(GROUP, port, find_interface("lo"), [own]) as ours:
            assert ours.type == socket.SOCK_DGRAM and not own.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def packet(port: int, payload: bytes, *, options: int = 0, length: int | None = None) -> bytes:
    udp = struct.pack("!4H", 5059, port, 8 + len(payload) if length is None else length, 0) + payload
    return bytes([0x45 + options]) + bytes(19 + 4 * options) + udp


def test_a_raw_packet_is_taken_apart() -> None:
    assert _payload(packet(5060, b"hello"), 5060) == (5059, b"hello")
    assert _payload(packet(5060, b"hello", options=3) + b"padding", 5060) == (5059, b"hello")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x45", packet(5061, b"x"), packet(5060, b"x", length=7), packet(5060, b"x", length=200),
     b"\x44" + packet(5060, b"x")[1:], packet(5060, b"")[:27]],
)  # fmt: skip
def test_another_raw_packet_is_nobodys(data: bytes) -> None:
    assert _payload(data, 5060) is None


@given(st.binary(max_size=80))
def test_no_raw_packet_does_any_harm(data: bytes) -> None:
    found = _payload(data, 5060)
    assert found is None or found[1] in data
