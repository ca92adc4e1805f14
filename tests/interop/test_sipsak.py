"""sipsak: is it alive, a SUBSCRIBE written by hand, and rubbish; who subscribes meanwhile sees no difference."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.lab import Lab, eventually, need

from .laboratory import PASSWORD, address, commit, document, make_certificate, serve
from .phone import Call, Notify, wait_for
from .stacks import SippStack

pytestmark = [pytest.mark.system, pytest.mark.peer]
ALICE, ALICE_MD5 = "alice@example.com", "alice@md5.example.com"
BY_HAND = Path(__file__).parent / "drivers" / "subscribe.sipsak"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with closing(Lab(tmp_path / "lab")) as laboratory:
        yield laboratory
        assert "Traceback" not in laboratory.server.stderr(), laboratory.server.stderr()


def start(lab: Lab, transport: str) -> None:
    need("openssl")
    serve(lab, [f"{transport}:127.0.0.1:0"], make_certificate(lab.folder / "tls"), [ALICE, ALICE_MD5])


def sipsak(lab: Lab, *arguments: str, transport: str = "udp") -> subprocess.CompletedProcess[str]:
    """Run it to its end; 0 is a 2xx."""
    command = [need("sipsak"), "-E", transport, "-s", f"sip:alice@{address(lab, transport)}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_options_tells_that_it_is_alive_and_what_it_does(lab: Lab, transport: str) -> None:
    start(lab, transport)
    done = sipsak(lab, "-vv", transport=transport)
    assert done.returncode == 0, done.stdout
    assert "SIP/2.0 200 OK" in done.stdout and "Allow-Events: ua-profile" in done.stdout


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_subscribe_written_by_hand_is_accepted(lab: Lab, transport: str) -> None:
    start(lab, transport)
    done = sipsak(lab, "-vvv", "-f", str(BY_HAND), transport=transport)
    assert done.returncode == 0, done.stdout
    assert "SIP/2.0 200 OK" in done.stdout and "\nExpires: 0" in done.stdout


@pytest.mark.parametrize(("password", "good"), [(PASSWORD, True), ("wrong", False)])
def test_a_subscribe_written_by_hand_answers_a_challenge(lab: Lab, password: str, good: bool) -> None:
    start(lab, "udp")
    by_hand = lab.folder / "by-hand"
    by_hand.write_text(BY_HAND.read_text().replace(ALICE, ALICE_MD5))
    done = sipsak(lab, "-vvv", "-f", str(by_hand), "-u", "alice", "-a", password)
    assert (done.returncode == 0) is good, done.stdout
    assert ("\nExpires: 0" in done.stdout.partition("200 OK")[2]) is good


def test_a_flood_and_messages_with_random_bytes_disturb_no_subscriber(lab: Lab) -> None:
    start(lab, "udp")
    stack = SippStack()
    need("sipp")
    with closing(stack.start(lab.folder / "phone", Call("udp", address(lab, "udp"), ALICE))) as phone:
        wait_for(phone, "document and refresh", accepted=2, notifies=2)
        assert sipsak(lab, "-F", "-e", "2000").returncode == 0
        for _ in range(20):
            sipsak(lab, "-R", "-t", "60", "-Z", "1", "-D", "1")  # an OPTIONS with up to so many bytes overwritten
        commit(lab, {ALICE: 2})
        eventually("the changed document", lambda: Notify("active", document(ALICE, 2)) in phone.notifies())
        eventually("the end", phone.has_ended)
        assert len(phone.notifies()) == 4
    assert sipsak(lab).returncode == 0
