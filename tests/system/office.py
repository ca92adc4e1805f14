"""A server in one network namespace, phones that ask it by plug and play in the other."""

import json
import re
import subprocess
import sys

from tests.pnp.samples import Sample
from tests.repositories import ENVIRONMENT

from .lab import Lab
from .network import SERVER, Network

GROUP = ("224.0.1.75", 5060)


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


def moved(sample: Sample, line_end: str = "\r\n") -> tuple[bytes, tuple[str, int]]:
    """The sample on our network: 192.0.2.N is 10.99.75.N."""
    return sample.data(line_end).replace(b"192.0.2.", b"10.99.75."), (
        sample.source[0].replace("192.0.2.", "10.99.75."),
        sample.source[1],
    )


def ask(net: Network, sample: Sample, times: int = 1, line_end: str = "\r\n") -> list[bytes]:
    """What a phone hears within half a second, when it asks and answers its NOTIFY."""
    data, source = moved(sample, line_end)
    heard: list[bytes] = []
    longer = 0.7  # than T1: whether it is repeated all the same
    with net.phone(*source) as phone:
        for _ in range(times):
            phone.sendto(data, GROUP)
        phone.settimeout(1.5)
        try:
            while True:
                message, sender = phone.recvfrom(65535)
                if not message.startswith(b"NOTIFY "):
                    heard.append(message)
                    continue
                phone.sendto(answer(message), sender)
                if message in heard:  # it was repeated before our answer was there: the next time is twice as late
                    longer *= 2
                    assert longer < 6, "our answer is not heard"
                else:
                    heard.append(message)
                phone.settimeout(longer)
        except TimeoutError:
            return heard


def answer(notify: bytes) -> bytes:
    head = b"".join(
        found[0] for name in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")
        if (found := re.search(rb"^%b:.*\r\n" % name, notify, re.MULTILINE))
    )  # fmt: skip
    return b"SIP/2.0 200 OK\r\n" + head + b"Content-Length: 0\r\n\r\n"


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


def metric(net: Network, result: str) -> float:
    """How often that came of a plug-and-play request."""
    text = subprocess.run(
        ["ip", "netns", "exec", net.phones, "curl", "-sf", f"http://{SERVER}:8060/metrics"],
        capture_output=True, check=True, timeout=20,
    ).stdout.decode()  # fmt: skip
    found = re.search(rf'^gitops_profile_pnp_total\{{result="{result}"\}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0
