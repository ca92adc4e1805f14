"""A merge reaches a phone that holds no subscription: the real server and git, sipp as the phone, curl as its fetch."""

import json
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.ports import is_taken, own_port

from .lab import SCENARIOS, Lab, SIPp, eventually
from .test_content import curl

pytestmark = [pytest.mark.system, pytest.mark.peer]

MAC = "000413aabbcc"
KEY = f"device/example.com/{MAC}"
FILE = f"profiles/device/example.com/{MAC}.yaml"
AGENT = f"Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 {MAC.upper()} SXM:0 UXM:0)"


class Building:
    """A server and one desk phone, whose line is registered at `aor`."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.http, self.port = own_port(), own_port()
        self.aor = f"sip:2001@127.0.0.1:{self.port}"
        self.settings: dict[str, Any] = {
            "http": {"listen": f"127.0.0.1:{self.http}", "public_url": f"http://127.0.0.1:{self.http}/"},
            "push": {"settle": 0.3, "longest": 3, "spread": 0},
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}/p/example.com/{MAC.upper()}.xml"

    def write(self, version: int, message: str = "change", **notify: str) -> str:
        manifest = {
            "content_type": "text/xml",
            "body": f"<settings version='{version}'/>\n",
            "notify": {"aor": self.aor} | notify,
        }
        return self.lab.git.commit({FILE: json.dumps(manifest).encode()}, message)  # JSON is YAML

    def start(self) -> None:
        file = self.lab.folder / "gitops-profile.yaml"
        file.write_text(json.dumps(self.settings))
        self.lab.server.start("--config", str(file))

    def told(self, scenario: str = "told", *, status: str = "200 OK", transport: str = "u1", qop: str = "") -> SIPp:
        """The phone listens, and answers with `status`, or with a challenge of this `qop`."""
        made = self.lab.folder / f"{scenario}-{status[:3]}.xml"
        made.write_text(
            (SCENARIOS / f"{scenario}.xml")
            .read_text()
            .replace("200 OK", status)
            .replace("algorithm=MD5", f"algorithm=MD5{qop}")
        )
        options = ("-i", "127.0.0.1", "-p", str(self.port), "-t", transport)
        phone = self.lab.phone(str(made.with_suffix("")), "2001", options=options)
        kind = socket.SOCK_DGRAM if transport == "u1" else socket.SOCK_STREAM
        # Else the kernel says that nobody is there, and it is told again after a quarter of an hour.
        eventually("the phone listens", lambda: is_taken(self.port, kind))
        return phone

    def fetch(self) -> tuple[int, str, bytes]:
        status, headers, body = curl(self.url, "-A", AGENT)
        return status, headers.get("etag", ""), body

    def holding(self) -> dict[str, Any]:
        """What is durable of the phone and its document."""
        with closing(sqlite3.connect(f"file:{self.lab.server.state / 'devices.db'}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            row = database.execute("SELECT * FROM holding WHERE device = ? AND key = ?", (MAC, KEY)).fetchone()
        return dict(row) if row is not None else {}

    def eventually(self, **facts: object) -> None:
        try:
            eventually(str(facts), lambda: facts.items() <= self.holding().items())
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.holding()}; {self.lab.server.stderr()[-2000:]}") from error

    def push(self) -> dict[str, int]:
        found: dict[str, int] = self.lab.ask("status")["push"]
        return found


@pytest.fixture
def building(lab: Lab) -> Iterator[Building]:
    made = Building(lab)
    made.write(1)
    yield made


def settled(building: Building) -> None:
    """The phone runs and has version 1."""
    phone = building.told()
    building.start()
    phone.finish()
    status, etag, body = building.fetch()
    assert status == 200 and body == b"<settings version='1'/>\n"
    building.eventually(etag=etag.strip('"'), heard_status=200)


def settled_over_tcp(building: Building) -> None:
    """The phone runs and has version 1; whether it listens shows at once."""
    building.aor += ";transport=tcp"
    building.write(1)
    phone = building.told(transport="t1")
    building.start()
    phone.finish()
    building.fetch()
    building.eventually(heard_status=200)


def test_a_merge_is_one_check_sync_and_the_fetch_has_the_new_version(building: Building) -> None:
    building.settings["push"] |= {"settle": 3, "longest": 60}  # a busy machine takes a while for three commits
    settled(building)
    phone = building.told()
    for version in (2, 3, 4):
        building.write(version)
    [notify] = phone.finish()
    assert notify.start == f"NOTIFY {building.aor} SIP/2.0"
    assert notify.header("Event") == "check-sync;reboot=false"
    assert notify.header("Content-Length") == "0" and notify.body == b""
    status, etag, body = building.fetch()
    assert (status, body) == (200, b"<settings version='4'/>\n")
    building.eventually(etag=etag.strip('"'), told_etag=etag.strip('"'), heard_status=200, fault=None)
    assert building.push() == {"waiting": 0, "under_way": 0, "in_vain": 0}


def test_a_revert_is_told_as_well(building: Building) -> None:
    settled(building)
    first = building.holding()["etag"]
    phone = building.told()
    building.write(2)
    phone.finish()
    building.fetch()
    building.eventually(heard_status=200)
    phone = building.told()
    building.lab.revert()
    phone.finish()
    building.eventually(told_etag=first, heard_status=200)
    assert building.fetch()[1].strip('"') == first


@pytest.mark.parametrize("qop", ["", ', qop="auth"'])
def test_a_phone_that_challenges_gets_the_credentials_of_its_line(building: Building, qop: str) -> None:
    lines = building.lab.folder / "lines"
    lines.write_text("2001::s3cret\n")
    lines.chmod(0o600)
    building.settings["push"]["credentials"] = str(lines)
    settled(building)
    phone = building.told("challenging", qop=qop)
    building.write(2)
    first, second = phone.finish()
    assert first.header("Call-ID") == second.header("Call-ID") and (first.cseq, second.cseq) == (1, 2)
    building.eventually(heard_status=200, fault=None)
    assert "s3cret" not in building.lab.server.stderr()
    assert "others may read" not in building.lab.server.stderr()


def test_a_phone_that_does_not_take_them_is_at_fault_by_name_and_asked_no_further(building: Building) -> None:
    lines = building.lab.folder / "lines"
    lines.write_text("2001::wrong\n")
    lines.chmod(0o644)
    building.settings["push"]["credentials"] = str(lines)
    settled(building)
    phone = building.told("challenging")
    building.write(2)
    assert len(phone.finish()) == 2
    building.eventually(heard_status=401, fault="the phone does not take the credentials of 2001: see push.credentials")
    assert building.push() == {"waiting": 1, "under_way": 0, "in_vain": 1}
    said = building.lab.server.stderr()
    assert f"check-sync device={MAC} key={KEY} status=401 verdict=refused: the phone does not take" in said
    assert "others may read it: chmod 600" in said and "wrong" not in said


@pytest.mark.parametrize("status", ["481 Subscription Does Not Exist", "489 Bad Event"])
def test_a_phone_that_does_not_know_check_sync_is_not_at_fault(building: Building, status: str) -> None:
    settled(building)
    phone = building.told(status=status)
    building.write(2)
    phone.finish()
    building.eventually(heard_status=int(status[:3]), fault=None)
    assert building.push() == {"waiting": 0, "under_way": 0, "in_vain": 0}


def test_a_phone_that_was_off_is_told_at_its_next_contact(building: Building) -> None:
    settled_over_tcp(building)
    building.write(2)  # nobody listens
    building.eventually(fault="the phone cannot be reached", heard_status=None)
    phone = building.told(transport="t1")
    log = building.url.replace(".xml", "-boot.log")
    assert curl(log, "-A", AGENT, "-X", "PUT", "--data", "booted")[0] in (200, 201, 204)
    phone.finish()
    building.eventually(heard_status=200, fault=None)


def test_what_a_killed_server_had_not_delivered_goes_out_after_its_start_and_only_that(building: Building) -> None:
    settled_over_tcp(building)
    building.write(2)
    building.eventually(fault="the phone cannot be reached")
    building.lab.server.end(signal.SIGKILL)
    phone = building.told(transport="t1")
    building.start()
    phone.finish()
    building.eventually(heard_status=200, fault=None)
    building.lab.server.end(signal.SIGKILL)
    building.start()
    eventually("the start is over", lambda: building.push() == {"waiting": 0, "under_way": 0, "in_vain": 0})
    assert building.lab.server.stderr().count("verdict=heard") == 2


def test_a_change_outside_its_window_waits_and_deliver_now_does_not(building: Building) -> None:
    settled(building)
    building.lab.git.commit(
        {"profiles/defaults.yaml": b"notify: {allow: [{cron: '0 0 29 2 *', duration: 1h}]}\n"}, "rarely"
    )
    phone = building.told()
    building.write(2)
    eventually("it waits", lambda: building.push()["waiting"] == 1)
    assert not phone.notifies() and building.holding()["heard_status"] == 200
    building.write(3, "mend the emergency number\n\nDeliver: now")
    phone.finish()
    assert building.fetch()[2] == b"<settings version='3'/>\n"


def test_a_phone_that_ended_its_subscription_is_told_where_it_was(building: Building) -> None:
    building.settings["push"]["to"] = ["contact"]
    building.start()
    eventually("it is in force", lambda: building.lab.ask("status")["presentities"] == 1)
    scenario = building.lab.folder / "device"
    text = (SCENARIOS / "unsubscribe.xml").read_text().replace("profile-type=user", "profile-type=device")
    scenario.with_suffix(".xml").write_text(text)
    address = ("-i", "127.0.0.1", "-p", str(building.port))
    subscriber = building.lab.phone(str(scenario), f"MAC%3A{MAC}", options=address)
    subscriber.finish()
    phone = building.told()
    building.write(2)
    [notify] = phone.finish()
    assert notify.start.startswith("NOTIFY sip:") and f"127.0.0.1:{building.port}" in notify.start
