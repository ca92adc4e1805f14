"""`gitops-profile link`, with curl as whoever was given the URL."""

import json

import pytest

from tests.ports import own_port

from .lab import Lab
from .test_content import curl

pytestmark = [pytest.mark.system, pytest.mark.peer]

DESK, LOBBY = "0004132a1122", "0004132a3344"
ALICE, BOB = "user/example.com/alice", "user/example.com/bob"
DOE, ROOM = "user/example.com/john.doe", "device/example.com/conf2"


def start(lab: Lab, **provisioning: object) -> str:
    files = {f"profiles/device/example.com/{mac}.xml": f"<d>{mac}</d>".encode() for mac in (DESK, LOBBY)}
    lab.git.commit({**files, **{f"profiles/{key}.xml": f"<u>{key}</u>".encode() for key in (ALICE, BOB, DOE, ROOM)}})
    port = own_port()
    public = f"http://127.0.0.1:{port}/"
    file = lab.folder / "gitops-profile.yaml"
    http = {"listen": f"127.0.0.1:{port}", "public_url": public}
    file.write_text(json.dumps({"http": http, "provisioning": provisioning}))
    lab.server.start("--config", str(file))
    return f"{public}p/example.com/"


def link(lab: Lab, subject: str) -> str:
    done = lab.run("link", subject, "--expires", "1h", "--state", str(lab.server.state))
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def test_a_link_opens_its_own_document_and_no_other(lab: Lab) -> None:
    base = start(lab, authenticate=["link"])
    desk, alice = link(lab, DESK), link(lab, ALICE)
    assert desk.startswith(f"{base}~") and desk.endswith("/")
    assert curl(f"{desk}{DESK}.xml")[::2] == (200, f"<d>{DESK}</d>".encode())
    for key in (ALICE, DOE, ROOM):
        assert curl(link(lab, key))[::2] == (200, f"<u>{key}</u>".encode())
    for url in (f"{desk}{LOBBY}.xml", alice.replace("/user/alice", "/user/bob"), f"{base}{DESK}.xml"):
        assert curl(url)[0] == 404, url


def test_links_that_would_open_nothing_are_not_made(lab: Lab) -> None:
    start(lab, authenticate=[])
    done = lab.run("link", DESK, "--state", str(lab.server.state))
    assert done.returncode != 0 and "provisioning.authenticate" in done.stderr.decode()
