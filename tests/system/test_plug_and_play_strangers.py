"""What nobody should get by plug and play: another network, forged senders, floods; and who says little of himself."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.pnp.samples import SAMPLES, SNOM

from .lab import Lab, eventually
from .network import PHONES, SERVER, Network, network
from .office import GROUP, ask, metric, moved, serve

pytestmark = [pytest.mark.system, pytest.mark.peer]


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as made:
        yield made


def provision(lab: Lab, *macs: str | None) -> None:
    lab.git.commit({f"profiles/device/example.com/{mac}.xml": b"<x/>" for mac in macs}, "phones")


def silent(phone: socket.socket, seconds: float = 0.7) -> bool:
    phone.settimeout(seconds)
    try:
        phone.recv(65535)
    except TimeoutError:
        return True
    return False


def test_lines_may_end_as_they_like(lab: Lab, net: Network) -> None:
    known = [sample for sample in SAMPLES[:-1] if sample.mac is not None]
    provision(lab, *(sample.mac for sample in known))
    serve(lab, net)
    for sample in known:
        heard = ask(net, sample, line_end="\n")
        assert [message.split(b" ", 1)[0] for message in heard] == [b"SIP/2.0", b"NOTIFY"], sample.name


def test_another_interface_of_the_same_machine_is_not_heard(lab: Lab, net: Network) -> None:
    """Although another process has joined the same group there: IP_MULTICAST_ALL."""
    net.second_cable()
    provision(lab, SNOM.mac)

    def other() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("224.0.1.75", 5061))
        membership = socket.inet_aton("224.0.1.75") + socket.inet_aton("10.99.76.1")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sock.settimeout(5)
        return sock

    with net.inside(net.server, other) as witness, net.phone("10.99.76.2", 5060) as phone:
        serve(lab, net)
        phone.sendto(b"are you there", ("224.0.1.75", 5061))
        assert witness.recv(100) == b"are you there"  # so the group is received on that cable
        phone.sendto(SNOM.data().replace(b"192.0.2.67", b"10.99.76.2"), GROUP)
        assert silent(phone)
    assert metric(net, "source") == 0  # it was not even heard
    assert len(ask(net, SNOM)) == 2


def test_both_interfaces_are_heard_when_both_are_chosen_and_each_from_its_own_address(lab: Lab, net: Network) -> None:
    ours, _ = net.second_cable()
    provision(lab, SNOM.mac)
    serve(lab, net, pnp={"interfaces": [net.interface, ours]})
    assert len(ask(net, SNOM)) == 2
    with net.phone("10.99.76.2", 5060) as phone:
        phone.sendto(SNOM.data().replace(b"192.0.2.67", b"10.99.76.2"), GROUP)
        answers = [phone.recvfrom(65535) for _ in range(2)]
        assert [(data.split(b" ", 1)[0], sender[0]) for data, sender in answers] == [
            (b"SIP/2.0", "10.99.76.1"), (b"NOTIFY", "10.99.76.1"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "heard_as"), [("203.0.113.5", "source"), ("8.8.8.8", "source"), ("10.99.75.255", "source")]
)
def test_a_forged_sender_gets_nothing(lab: Lab, net: Network, source: str, heard_as: str) -> None:
    provision(lab, SNOM.mac)
    net.believe_sources()
    # The kernel would send there: nothing but our own rule keeps the answer.
    net.ip(net.server, "route", "add", "default", "via", PHONES)
    serve(lab, net)
    data = SNOM.data().replace(b"192.0.2.67", source.encode())
    net.forge((source, 5060), GROUP, [data])
    if source != "10.99.75.255":  # the kernel itself drops a broadcast address as a sender
        eventually("it was heard, and refused", lambda: metric(net, heard_as) == 1)
    assert len(ask(net, SNOM)) == 2 and metric(net, "200") == 1 and metric(net, "silent") == 0


def test_a_link_local_phone_is_answered_on_the_cable_and_not_through_the_gateway(lab: Lab, net: Network) -> None:
    provision(lab, SNOM.mac)
    net.believe_sources()
    net.ip(net.phones, "addr", "add", "169.254.7.7/16", "dev", net.phone_interface)
    net.ip(net.server, "route", "add", "default", "via", "10.99.75.99")  # where nobody is
    serve(lab, net)
    with net.phone("169.254.7.7", 5060) as phone:
        phone.sendto(SNOM.data().replace(b"192.0.2.67", b"169.254.7.7"), GROUP)
        assert [phone.recv(65535).split(b" ", 1)[0] for _ in range(2)] == [b"SIP/2.0", b"NOTIFY"]


def test_a_flood_of_forged_strangers_does_not_silence_a_phone_that_is_known(lab: Lab, net: Network) -> None:
    provision(lab, SNOM.mac)
    serve(lab, net)
    hosts = iter(range(76, 255))

    def one_more_floods() -> float:
        host = next(hosts)
        data = SNOM.data().replace(b"192.0.2.67", b"10.99.75.%d" % host)
        net.forge(
            (f"10.99.75.{host}", 5060), GROUP,
            [
                data.replace(b"00135E874B49", b"%012X" % (host * 100 + number)).replace(b"snom-doc-1", b"%d" % number)
                for number in range(20)
            ],
        )  # fmt: skip
        return metric(net, "unknown")

    eventually("strangers have had their share", lambda: one_more_floods() == 1000, patience=50)
    one_more_floods()
    assert metric(net, "unknown") == 1000 and metric(net, "flood") > 1000
    assert len(ask(net, SNOM)) == 2
    assert lab.server.stderr().count("pnp refused") <= 61  # so many lines a minute


def test_a_phone_that_says_no_mac_is_found_by_its_address(lab: Lab, net: Network) -> None:
    """AudioCodes names itself nowhere (phones.md 2.1), and asks again for five seconds."""
    mac = net.ip(net.phones, "-o", "link", "show", net.phone_interface).partition("link/ether ")[2].split()[0]
    provision(lab, mac.replace(":", ""))
    serve(lab, net)
    audiocodes = next(sample for sample in SAMPLES if sample.name == "audiocodes")
    data, source = moved(audiocodes)
    with net.phone(*source) as phone:
        phone.sendto(data, GROUP)
        assert silent(phone, 0.5)
        phone.sendto(data, GROUP)
        phone.settimeout(5)
        assert [phone.recv(65535).split(b" ", 1)[0] for _ in range(2)] == [b"SIP/2.0", b"NOTIFY"]


def test_an_interface_that_gets_another_address_is_heard_on(lab: Lab, net: Network) -> None:
    provision(lab, SNOM.mac)
    serve(lab, net)
    assert len(ask(net, SNOM)) == 2
    net.ip(net.server, "addr", "del", f"{SERVER}/24", "dev", net.interface)
    net.ip(net.server, "addr", "add", "10.99.75.9/24", "dev", net.interface)

    def answered_from() -> str | None:
        again = replace(SNOM, text=SNOM.text.replace("snom-doc-1", f"again-{time.monotonic()}"))
        heard = ask(net, again)
        return heard[0].decode().partition("Contact: <sip:")[2].partition(":")[0] if heard else None

    eventually("it is answered from the new address", lambda: answered_from() == "10.99.75.9", patience=20)
