"""SIP plug and play on a real network: two namespaces, a real multicast group, the samples of phones.md."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.pnp.samples import SAMPLES, SNOM, Sample
from tests.repositories import ENVIRONMENT

from .lab import Lab, eventually
from .network import SERVER, Network, network

pytestmark = [pytest.mark.system, pytest.mark.peer]

GROUP = ("224.0.1.75", 5060)


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as made:
        yield made


def serve(lab: Lab, net: Network, **settings: object) -> None:
    """Start the server in its namespace."""
    settings = {
        "http": {"listen": f"{SERVER}:8060", "public_url": f"http://{SERVER}:8060/"},
        "provisioning": {"authenticate": []},
        "pnp": {"interfaces": [net.interface], **settings.pop("pnp", {})},  # type: ignore[dict-item]
        "domains": {"example.com": {"auth": "none"}},
        **settings,
    }
    file = lab.folder / "gitops-profile.yaml"
    file.write_text(json.dumps(settings))
    server = lab.server
    server.listen = ("udp:0.0.0.0:5060", "tcp:0.0.0.0:5060")
    command = ["ip", "netns", "exec", net.server, sys.executable, "-m", "gitops_profile", "serve"]
    command += ["--repo", str(server.repository), "--state", str(server.state), "--config", str(file)]
    command += [part for one in server.listen for part in ("--listen", one)]
    with server.log.open("ab") as errors:
        server.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=ENVIRONMENT)
    server.wait_ready()


def moved(sample: Sample) -> tuple[bytes, tuple[str, int]]:
    """The sample on our network: 192.0.2.N is 10.99.75.N."""
    return sample.data().replace(b"192.0.2.", b"10.99.75."), (
        sample.source[0].replace("192.0.2.", "10.99.75."),
        sample.source[1],
    )


def ask(net: Network, sample: Sample, times: int = 1) -> list[bytes]:
    """What a phone hears within half a second, when it asks and answers its NOTIFY."""
    data, source = moved(sample)
    heard = []
    with net.phone(*source) as phone:
        for _ in range(times):
            phone.sendto(data, GROUP)
        phone.settimeout(1.5)
        try:
            while True:
                message, sender = phone.recvfrom(65535)
                heard.append(message)
                if message.startswith(b"NOTIFY "):
                    phone.sendto(answer(message), sender)
                    phone.settimeout(0.7)  # longer than T1: whether it is repeated all the same
        except TimeoutError:
            return heard


def answer(notify: bytes) -> bytes:
    head = b"".join(
        found[0] for name in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")
        if (found := re.search(rb"^%b:.*\r\n" % name, notify, re.MULTILINE))
    )  # fmt: skip
    return b"SIP/2.0 200 OK\r\n" + head + b"Content-Length: 0\r\n\r\n"


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


def serve_beside(lab: Lab, net: Network) -> None:
    server = lab.server
    server.listen = ()
    file = lab.folder / "gitops-profile.yaml"
    file.write_text(
        json.dumps(
            {
                "listen": [f"udp:{SERVER}:5070"], "pnp": {"interfaces": [net.interface], "url": "https://x.example/{MAC}.xml"},
                "domains": {"example.com": {"auth": "none"}},
            }
        )
    )  # fmt: skip
    command = ["ip", "netns", "exec", net.server, sys.executable, "-m", "gitops_profile", "serve"]
    command += ["--repo", str(server.repository), "--state", str(server.state), "--config", str(file)]
    with server.log.open("ab") as errors:
        server.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=ENVIRONMENT)
    server.wait_ready()
