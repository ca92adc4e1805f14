"""Every transport of a whole server process, with the phone of the command line."""

import json
from pathlib import Path

import pytest

from tests.transport.authority import Authority, Issued

from .lab import LOOPBACK, Lab, eventually, profile

pytestmark = pytest.mark.system

LISTEN = (*LOOPBACK, "tls:127.0.0.1:0", "ws:127.0.0.1:0", "wss:127.0.0.1:0")


@pytest.fixture
def secure(lab: Lab, authority: Authority) -> Lab:
    """A server with a listener of each kind."""
    serve(lab, authority.issue("server", "DNS:localhost,IP:127.0.0.1"))
    return lab


def serve(lab: Lab, issued: Issued) -> None:
    lab.write(alice=1)
    settings = lab.folder / "settings.yaml"
    settings.write_text(f"tls:\n  certificate: {issued.certificate}\n  key: {issued.key}\n")
    lab.server.listen = LISTEN
    lab.server.start("--config", str(settings))


def as_json(version: int) -> bytes:
    return json.dumps(profile("alice", version).decode()).encode()


def test_a_person_subscribes_over_each_transport(secure: Lab, authority: Authority) -> None:
    for transport in ("udp", "tcp", "tls", "ws", "wss"):
        server = f"{transport}:{secure.server.address(f'{transport}:')}"
        trust = ("--ca", str(authority.certificate))
        done = secure.run("phone", "alice@example.com", "--server", server, *trust, "--count", "1", "-o", "json")
        assert done.returncode == 0, (transport, done.stderr)
        assert as_json(1) in done.stdout, (transport, done.stdout)


def test_a_certificate_that_is_not_trusted_ends_in_one_line(secure: Lab) -> None:
    server = f"tls:{secure.server.address('tls:')}"
    done = secure.run("phone", "alice@example.com", "--server", server)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and b"--ca" in done.stderr, done.stderr
    assert secure.run("phone", "alice@example.com", "--server", server, "--insecure", "--count", "1").returncode == 0


def test_a_tls_listener_without_a_certificate_is_said_in_one_line(lab: Lab) -> None:
    lab.write(alice=1)
    done = lab.run("serve", "--state", str(lab.server.state), "--listen", "tls:127.0.0.1:0")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert b"tls.certificate" in done.stderr


def test_a_key_of_another_certificate_is_said_in_one_line(lab: Lab, authority: Authority, tmp_path: Path) -> None:
    one, other = authority.issue("one", "DNS:one"), authority.issue("two", "DNS:two")
    lab.write(alice=1)
    (tmp_path / "settings.yaml").write_text(f"tls: {{certificate: {one.certificate}, key: {other.key}}}\n")
    listen = ["--config", str(tmp_path / "settings.yaml"), "--listen", "wss:127.0.0.1:0"]
    done = lab.run("serve", "--state", str(lab.server.state), *listen)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert b"the key is not the certificate's" in done.stderr


def test_a_phone_over_tls_is_told_of_a_commit(secure: Lab, authority: Authority) -> None:
    server = f"tls:{secure.server.address('tls:')}"
    command = [*("phone", "alice@example.com", "--server", server), "--ca", str(authority.certificate)]
    phone = secure.start(*command, "--count", "2", "-o", "json")
    eventually("it is subscribed", lambda: any(row["current"] for row in secure.ask("subscriptions")))
    secure.write(alice=2)
    out, _ = phone.communicate(timeout=20)
    assert phone.returncode == 0 and as_json(2) in out
