"""Phones that were seen and have no profile become manifests in the working tree, by a server that runs."""

import json
import re
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest

from gitops_profile.inventory import MAX_STRANGERS_PER_SOURCE

from .lab import Lab

pytestmark = [pytest.mark.system]

KNOWN, NEW, BASELESS = "001565aabbcc", "001565aabbcd", "000413aabbcc"
AGENTS = {
    KNOWN: "Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:cc",
    NEW: "Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:cd",
    BASELESS: "Mozilla/4.0 (compatible; snomD785-SIP 10.1.54.13 000413AABBCC)",
}
DEVICES = "profiles/device/example.com"
FILES: dict[str, str | bytes | None] = {
    f"{DEVICES}/{KNOWN}.cfg": "a=1\n",
    "profiles/bases/yealink.yaml": "template: phone.j2\ncontent_type: text/plain\nvalues: {line: 1}\n",
    "profiles/templates/phone.j2": "line = {{ line }}\n",
}


@pytest.fixture
def office(lab: Lab) -> Lab:
    """Three phones have asked for their files; one has one."""
    lab.git.commit(FILES)
    lab.server.environment = {"GITOPS_PROFILE_HTTP__PUBLIC_URL": "http://127.0.0.1/"}
    lab.server.start("--http", "127.0.0.1:0")
    base = lab.ask("status")["http"]
    for mac, agent in AGENTS.items():
        request = urllib.request.Request(f"{base}p/{mac}.cfg", headers={"User-Agent": agent})
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            assert error.code == 404 and mac != KNOWN
            error.close()
    return lab


def command(lab: Lab, *arguments: str) -> tuple[int, Any]:
    done = lab.run(*arguments, "--state", str(lab.server.state), "-o", "json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def tree(lab: Lab) -> dict[str, bytes]:
    root = lab.server.repository / "profiles"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_only_phones_without_a_profile_are_unknown(office: Lab) -> None:
    _, rows = command(office, "get", "devices")
    assert {row["mac"] for row in rows} == set(AGENTS)
    _, rows = command(office, "get", "devices", "--unknown")
    assert {(row["mac"], row["vendor"], row["key"]) for row in rows} == {
        (NEW, "yealink", None),
        (BASELESS, "snom", None),
    }


def test_import_writes_what_has_a_base_and_check_passes_and_nothing_is_written_over(office: Lab) -> None:
    before = tree(office)
    status, said = command(office, "import", "--folder", "hq/floor-2", "--dry-run")
    assert status == 1 and len(said["written"]) == 1 and tree(office) == before
    assert [left["mac"] for left in said["skipped"]] == [BASELESS] and "--extends" in said["skipped"][0]["reason"]

    _, said = command(office, "import", "--folder", "hq/floor-2")
    made = f"device/example.com/hq/floor-2/{NEW}.yaml"
    after = tree(office)
    assert {name for name in after if name not in before} == {made} and said["written"][0].endswith(made)
    assert all(after[name] == body for name, body in before.items())
    text = after[made].decode()
    assert re.fullmatch(r"# yealink T46S 66\.86\.0\.15, seen \S+ at 127\.0\.0\.1 by get\nextends: yealink\n", text), (
        text
    )
    done = office.run("check", "--repo", str(office.server.repository))
    assert done.returncode == 0, done.stdout + done.stderr

    (office.server.repository / "profiles" / made).write_text("extends: yealink\nvalues: {line: 7}\n")
    edited = tree(office)
    status, said = command(office, "import", NEW, "--folder", "elsewhere")
    assert status == 1 and said["written"] == [] and tree(office) == edited
    assert "already" in said["skipped"][0]["reason"]


def test_an_imported_phone_is_unknown_no_more_when_it_is_committed(office: Lab) -> None:
    status, _ = command(office, "import", NEW, BASELESS, "--extends", "yealink")
    assert status == 0
    office.git("add", "-A")
    office.git("commit", "-qm", "import")
    head = office.git.head()
    done = office.run("wait", "--revision", head, "--for", "applied", "--state", str(office.server.state))
    assert done.returncode == 0, done.stdout + done.stderr
    assert command(office, "get", "devices", "--unknown") == (0, [])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("aabbcc",), "'aabbcc' is no MAC"),
        ((KNOWN,), "was not seen, or has a profile"),
        (("--folder", "../elsewhere"), "'..' cannot be a folder"),
        (("--folder", ".git"), "'.git' cannot be a folder"),
        (("--domain", ".."), "--domain: "),
    ],
)
def test_what_is_no_candidate_and_no_folder_is_refused_and_nothing_is_written(
    office: Lab, arguments: tuple[str, ...], reason: str
) -> None:
    before = tree(office)
    done = office.run("import", *arguments, "--state", str(office.server.state))
    assert done.returncode != 0 and reason in " ".join(done.stderr.decode().split())
    assert tree(office) == before


def subscribe(lab: Lab, phone: socket.socket, mac: str) -> bytes:
    """As an unknown Snom does; what it is answered."""
    host, _, port = lab.server.address().rpartition(":")
    here = f"127.0.0.1:{phone.getsockname()[1]}"
    phone.sendto(
        f"SUBSCRIBE sip:{mac}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{mac}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{mac}@example.com>;tag={mac}\r\nTo: <sip:{mac}@example.com>\r\n"
        f"Call-ID: {mac}\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:{here}>\r\nExpires: 3600\r\n"
        'Event: ua-profile;profile-type="device";vendor="snom";model="D785";version="10.1"\r\n'
        "Content-Length: 0\r\n\r\n".encode(),
        (host, int(port)),
    )
    while True:
        message = phone.recv(65535)
        if message.startswith(b"SIP/2.0 "):
            return message


def test_unknown_devices_that_are_accepted_are_candidates_and_a_flood_of_them_is_bounded(lab: Lab) -> None:
    lab.git.commit(FILES | {f"{DEVICES}/default.cfg": "a=0\n"})
    file = lab.folder / "gitops-profile.yaml"
    file.write_text(json.dumps({"domains": {"example.com": {"auth": "none", "unknown_device": "accept"}}}))
    lab.server.start("--config", str(file))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(10)
        for number in range(MAX_STRANGERS_PER_SOURCE + 50):
            assert subscribe(lab, phone, f"0004130{number:05x}").startswith(b"SIP/2.0 200 ")
        assert subscribe(lab, phone, KNOWN).startswith(b"SIP/2.0 200 ")
    rows = lab.ask("devices")
    assert {row["mac"] for row in rows if row["key"]} == {KNOWN}
    assert len(rows) == MAX_STRANGERS_PER_SOURCE + 1
    _, unknown = command(lab, "get", "devices", "--unknown")
    assert {(row["vendor"], row["model"], row["how"]) for row in unknown} == {("snom", "D785", "subscribe")}
