"""SIP plug and play on a real network: two namespaces, a real multicast group, the samples of phones.md."""

import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.pnp.samples import SAMPLES, SNOM

from .lab import Lab, eventually
from .network import SERVER, Network, network
from .office import GROUP, answer, ask, metric, serve, serve_beside

pytestmark = [pytest.mark.system, pytest.mark.peer]


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as made:
        yield made


def test_every_phone_is_told_its_url_fetches_it_and_is_known(lab: Lab, net: Network) -> None:
    known = [sample for sample in SAMPLES if sample.mac is not None and sample is not SAMPLES[-1]]
    lab.git.commit({f"profiles/device/example.com/{s.mac}.xml": b"<x/>" for s in known}, "phones")
    serve(lab, net)
    for sample in known:
        heard = ask(net, sample)
        assert [message.split(b"\r\n")[0].split(b" ")[0] for message in heard] == [b"SIP/2.0", b"NOTIFY"], sample.name
        url = heard[1].partition(b"\r\n\r\n")[2].decode()
        full = sample.vendor in ("snom", "gigaset")
        file = f"{(sample.mac or '').upper()}.xml" if full else ""
        assert url == f"http://{SERVER}:8060/p/example.com/{file}", sample.name
        fetched = subprocess.run(
            ["ip", "netns", "exec", net.phones, "curl", "-sf", url if full else f"{url}{sample.mac}.cfg"],
            capture_output=True, check=True, timeout=20,
        )  # fmt: skip
        assert fetched.stdout == b"<x/>"


def test_strangers_and_repetitions(lab: Lab, net: Network) -> None:
    lab.git.commit({"profiles/device/example.com/00135e874b49.xml": b"<x/>"}, "one phone")
    serve(lab, net)
    assert len(ask(net, SNOM, times=5)) == 6  # five times the 200, one NOTIFY
    assert ask(net, SAMPLES[1]) == []  # not known: silence
    stranger = SAMPLES[-1]  # its Contact and Via name somebody else
    lab.git.commit({f"profiles/device/example.com/{stranger.mac}.xml": b"<x/>"}, "another phone")
    eventually("it is known", lambda: len(ask(net, stranger)) == 2)


def test_a_notifier_on_the_same_port_does_not_hear_the_group(lab: Lab, net: Network) -> None:
    lab.git.commit({"profiles/device/example.com/00135e874b49.xml": b"<x/>"}, "one phone")
    serve(lab, net)
    assert ask(net, SAMPLES[1]) == []  # neither answers 403 nor anything else
    metrics = subprocess.run(
        ["ip", "netns", "exec", net.phones, "curl", "-sf", f"http://{SERVER}:8060/metrics"],
        capture_output=True, check=True, timeout=20,
    ).stdout.decode()  # fmt: skip
    assert 'gitops_profile_pnp_total{result="unknown"} 1.0' in metrics
    assert "gitops_profile_sip_refused_total{" not in metrics


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "alone"])
def test_it_works_beside_another_process_on_the_port(lab: Lab, net: Network, shared: bool) -> None:
    lab.git.commit({"profiles/device/example.com/00135e874b49.xml": b"<x/>"}, "one phone")

    def other() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(shared))
        sock.bind(("0.0.0.0", 5060))
        return sock

    with net.inside(net.server, other):
        serve_beside(lab, net)
        assert len(ask(net, SNOM)) == 2


def test_a_phone_on_the_servers_own_machine_is_answered_too(lab: Lab, net: Network) -> None:
    """That is where people try it: `phone --pnp eth0`."""
    lab.git.commit({f"profiles/device/example.com/{SNOM.mac}.xml": b"<x/>"}, "one phone")
    serve(lab, net)

    def play() -> list[bytes]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind((SERVER, 5062))
            phone.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(SERVER))
            phone.settimeout(5)
            phone.sendto(SNOM.data().replace(b"192.0.2.67:5060", f"{SERVER}:5062".encode()), GROUP)
            heard = [phone.recvfrom(65535) for _ in range(2)]
            phone.sendto(answer(heard[1][0]), heard[1][1])
            return [data for data, _ in heard]

    assert [data.split(b" ", 1)[0] for data in net.inside(net.server, play)] == [b"SIP/2.0", b"NOTIFY"]
    eventually("its answer was heard", lambda: metric(net, "200") == 1)
