"""Each make of desk phone, end to end: a commit, a check-sync, a fetch of the new version; and so its revert."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_profile.devices import VENDORS
from gitops_profile.phone import MAKES, Make
from tests.ports import own_port
from tests.repositories import ENVIRONMENT
from tests.transport.authority import Authority

from .lab import PATIENCE, Lab, eventually

pytestmark = [pytest.mark.system, pytest.mark.peer]

DOMAIN = "example.com"
PUSHED = sorted(name for name in MAKES if VENDORS[name].refetch is not None)
BY_THEMSELVES = sorted(name for name in MAKES if VENDORS[name].refetch is None)
"""Nothing is known that makes them fetch."""


def mac_of(make: Make) -> str:
    """A MAC that no other test's server knows: all of them hear the same group on the loopback interface.

    It is its vendor's where a phone says no more than OEM before its first fetch.
    """
    oui = "7c2f80" if make.vendor == "gigaset" else "0213ab"
    return f"{oui}{os.getpid() & 0xFFFF:04x}{sorted(MAKES).index(make.vendor):02x}"


def asks(make: Make) -> bool:
    """Whether it can be known by its plug-and-play SUBSCRIBE."""
    return make.asking is not None and make.asking.user is not None


class Handset:
    """`gitops-profile phone --vendor … --mac …`, a process of its own."""

    def __init__(self, lab: Lab, make: Make, *options: str) -> None:
        number = sorted(MAKES).index(make.vendor) + 20
        self.address, self.port = f"127.0.0.{number}", own_port()
        self._output = lab.folder / f"phone-{make.vendor}-{len(options)}.json"
        command = [sys.executable, "-m", "gitops_profile", "phone", "--vendor", make.vendor, "--mac", mac_of(make)]
        command += ["--address", self.address, "--port", str(self.port), "-o", "json", *options]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=ENVIRONMENT)

    def steps(self) -> list[dict[str, Any]]:
        """What has happened to it; a line that is still being written has not."""
        return [json.loads(line) for line in self._output.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def got(self, body: str) -> bool:
        """Whether the newest document it was given is this one."""
        assert self.process.poll() in (None, 0), self._output.read_text()
        bodies = [step["body"] for step in self.steps() if step["kind"] == "fetched" and step["status"] == 200]
        return bool(bodies) and bodies[-1] == body

    def etag(self) -> str:
        """Of the newest document it was given."""
        etags = [step["etag"] for step in self.steps() if step["kind"] == "fetched" and step["status"] == 200]
        return str(etags[-1]).strip('"')

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0


def serve(lab: Lab, **settings: object) -> str:
    """Start with plug and play on the loopback interface; the URL of the documents."""
    port = own_port()
    settings = {
        "http": {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}/"},
        "pnp": {"interfaces": ["lo"]},
        "push": {"settle": 0.1, "spread": 0, "credentials": str(lab.folder / "lines")},
        **settings,
    }
    (lab.folder / "lines").write_text("2001::s3cret\n")
    (lab.folder / "lines").chmod(0o600)
    (lab.folder / "line").write_text("2001:s3cret\n")
    file = lab.folder / "gitops-profile.yaml"
    file.write_text(json.dumps(settings))
    lab.server.start("--config", str(file))
    return f"http://127.0.0.1:{port}/p/{DOMAIN}/"


def manifest(version: int, aor: str | None) -> bytes:
    told = f"notify: {{aor: '{aor}'}}\n" if aor is not None else ""
    return f"body: 'version {version}'\n{told}".encode()


class Office:
    """One server and a phone of each make that can be told."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab.git.commit({file_of(MAKES[vendor]): manifest(1, None) for vendor in MAKES}, "version 1")
        self.base = serve(lab)
        self.handsets = {vendor: self._handset(MAKES[vendor]) for vendor in PUSHED}

    def _handset(self, make: Make) -> Handset:
        options = ["--pnp", "lo"] if asks(make) else ["--url", self.base]
        return Handset(self.lab, make, *options, "--line", str(self.lab.folder / "line"))

    def stands(self, make: Make) -> tuple[str, str]:
        """What `get devices` says of the phone: its rung, and the version it has fetched."""
        [row] = [row for row in self.lab.ask("devices") if row["mac"] == mac_of(make)]
        [document] = row["documents"]
        return str(row["rung"]), str(document["fetched_etag"])

    def ladder(self) -> dict[str, int]:
        """How many phones `status` says to stand on which rung; only those with any."""
        return {rung: count for rung, count in self.lab.ask("status")["ladder"].items() if count}


def file_of(make: Make) -> str:
    return f"profiles/device/{DOMAIN}/{mac_of(make)}.yaml"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    lab = Lab(tmp_path_factory.mktemp("v") / "lab")
    made = None
    try:
        made = Office(lab)
        yield made
        for handset in made.handsets.values():
            handset.close()
        assert "Traceback" not in lab.server.stderr(), lab.server.stderr()
    finally:
        for handset in made.handsets.values() if made is not None else ():
            handset.process.kill()
        lab.close()


@pytest.mark.parametrize("vendor", PUSHED)
def test_a_commit_and_its_revert_reach_the_phone(office: Office, vendor: str) -> None:
    make, handset, git = MAKES[vendor], office.handsets[vendor], office.lab.git
    # A phone without plug and play, and one that wants its line's credentials, is told by the AoR of its manifest.
    aor = f"sip:2001@{handset.address}:{handset.port}" if not asks(make) or make.habits.challenges else None
    git.commit({file_of(make): manifest(1, aor)}, "where its line is, if anywhere")
    eventually("it has version 1", lambda: handset.got("version 1"))
    before = handset.etag()
    git.commit({file_of(make): manifest(2, aor)}, "version 2")
    eventually("it has version 2", lambda: handset.got("version 2"))
    assert handset.etag() != before
    # A phone that takes long to boot is told in between, with such a short `settle`.
    told = {step["detail"] for step in handset.steps() if step["kind"] == "told"}
    assert told == {str(VENDORS[vendor].refetch)}
    eventually("it has fetched", lambda: office.stands(make) == ("fetched", handset.etag()))
    eventually("status says so", lambda: set(office.ladder()) == {"fetched"})
    office.lab.revert()
    eventually("it has version 1 again", lambda: handset.got("version 1"))
    assert handset.etag() == before
    eventually("it has fetched", lambda: office.stands(make) == ("fetched", before))
    eventually("status says so", lambda: set(office.ladder()) == {"fetched"})
    challenged = [step for step in handset.steps() if step["kind"] == "challenged"]
    assert (len(challenged) >= 2) == make.habits.challenges
    sent = {step["status"] for step in handset.steps() if step["kind"] == "sent"}
    assert sent == ({204} if make.log is not None else set()), "its log is taken, and by default thrown away"


@pytest.mark.parametrize("vendor", BY_THEMSELVES)
def test_a_phone_that_cannot_be_told_has_the_newest_when_it_comes(office: Office, vendor: str) -> None:
    make, lab = MAKES[vendor], office.lab
    for version in (1, 2):
        if version == 2:
            commit = lab.git.commit({file_of(make): manifest(version, None)}, f"version {version}")
            assert lab.command("wait", "--revision", commit, "--for", "applied")["reached"]
        handset = Handset(lab, make, "--url", office.base, "--count", "1")
        assert handset.process.wait(PATIENCE) == 0
        assert handset.got(f"version {version}")
        has = ("fetched", handset.etag())
        eventually("it has fetched", lambda: office.stands(make) == has)  # noqa: B023 - it is called here


def test_linphone_has_its_users_profile_by_a_link_and_the_newest_when_it_comes_again(lab: Lab) -> None:
    """A softphone has no MAC: the link in its QR code says whose profile it may have."""
    file, bodies = f"profiles/user/{DOMAIN}/lin.xml", []
    lab.git.commit({file: "<zero/>"}, "zero")
    serve(lab, pnp={}, provisioning={"authenticate": ["link"]})
    url = lab.command("link", f"user/{DOMAIN}/lin")["url"]
    for body in ("<one/>", "<two/>", "<one/>"):
        commit = lab.git.commit({file: body}, body)
        assert lab.command("wait", "--revision", commit, "--for", "applied")["reached"]
        done = lab.run("phone", "--vendor", "linphone", "--url", url, "--count", "1", "-o", "json")
        assert done.returncode == 0, done.stderr
        [fetched, ready] = map(json.loads, done.stdout.splitlines())
        assert (fetched["status"], ready["kind"]) == (200, "ready")
        bodies.append(fetched["body"])
    assert bodies == ["<one/>", "<two/>", "<one/>"]
    done = lab.run("phone", "--vendor", "linphone", "--url", url.replace("/~", "/~x"), "--count", "1", "-o", "json")
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()][0] == 404


def test_the_phone_says_what_is_missing(tmp_path: Path) -> None:
    for options, says in (
        (["--mac", "000413aabbcc"], "--vendor"),
        (["--vendor", "snom", "--mac", "nonsense"], "is no MAC"),
        (["--vendor", "snom", "--mac", "000413aabbcc"], "--url"),
        (["--vendor", "linphone", "--mac", "000413aabbcc", "--pnp", "lo"], "no plug and play"),
        (["--vendor", "snom", "--mac", "000413aabbcc", "--pnp", "nowhere0"], "there is no interface nowhere0"),
        (["--vendor", "snom", "--url", "http://127.0.0.1/x.xml"], "is no MAC"),
        (["--vendor", "linphone", "--url", "http://127.0.0.1/"], "is no MAC"),
        ([], "whose profile"),
    ):
        command = [sys.executable, "-m", "gitops_profile", "phone", *options]
        done = subprocess.run(command, capture_output=True, check=False, env=ENVIRONMENT, timeout=20, cwd=tmp_path)
        assert done.returncode == 2 and says in done.stderr.decode(), done.stderr.decode()


def test_a_sensitive_document_comes_over_tls_to_a_phone_that_shows_who_it_is(lab: Lab, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    web, port, mac = authority.issue("web", "IP:127.0.0.1"), own_port(), mac_of(MAKES["poly"])
    lab.git.commit({file_of(MAKES["poly"]): b"body: secret\nsensitive: true\n"})
    credentials, password = tmp_path / "devices.htdigest", tmp_path / "password"
    password.write_text("s3cret\n")
    assert lab.run("passwd", str(credentials), "--device", mac, given=b"s3cret").returncode == 0
    ways = {"authenticate": ["certificate", "digest", "basic"], "device_ca": str(authority.certificate)}
    http = {"listen": f"127.0.0.1:{port}", "public_url": f"https://127.0.0.1:{port}/", "tls": True}
    settings = {
        "http": http, "tls": {"certificate": str(web.certificate), "key": str(web.key)},
        "provisioning": {**ways, "credentials": str(credentials)},
    }  # fmt: skip
    file = lab.folder / "gitops-profile.yaml"
    file.write_text(json.dumps(settings))
    lab.server.start("--config", str(file))
    own = authority.issue("phone", common_name=mac.upper())
    pem = tmp_path / "own.pem"
    pem.write_bytes(own.certificate.read_bytes() + own.key.read_bytes())
    stranger = tmp_path / "stranger.pem"
    other = authority.issue("stranger", common_name="0213ab000000")
    stranger.write_bytes(other.certificate.read_bytes() + other.key.read_bytes())
    url = f"https://127.0.0.1:{port}/p/{DOMAIN}/{mac}.cfg"
    trusts = ["--ca", str(authority.certificate)]
    for options, status in (
        ([*trusts, "--certificate", str(pem)], 200),
        ([*trusts, "--password-file", str(password)], 200),
        ([*trusts, "--certificate", str(stranger)], 404),
        (trusts, 401),
        ([], None),
    ):
        command = ["phone", "--vendor", "poly", "--mac", mac, "--url", url, "--count", "1", "-o", "json"]
        done = lab.run(*command, *options)
        first = json.loads(done.stdout.splitlines()[0])
        assert (first["kind"], first["status"]) == ("fetched" if status else "failed", status), options
        assert (first["body"] == "secret") == (status == 200)
