"""A phone that fetches by URL climbs the ladder, and whoever waits for a commit waits for it, across a kill."""

import json
import signal
import urllib.error
import urllib.request
from typing import Any

import pytest

from .lab import Lab, eventually

pytestmark = [pytest.mark.system]

MAC = "001565aabbcc"
KEY = f"device/example.com/{MAC}"
FILE = f"profiles/{KEY}.cfg"
AGENT = "Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:cc"
SETTINGS = {"GITOPS_PROFILE_HTTP__PUBLIC_URL": "http://127.0.0.1/", "GITOPS_PROFILE_PUSH__SETTLE": "600s"}
"""Nobody is told while the test lasts: the phone comes by itself."""


def start(lab: Lab) -> None:
    lab.server.environment = SETTINGS
    lab.server.start("--http", "127.0.0.1:0")


def fetch(lab: Lab, name: str = f"{MAC}.cfg") -> bytes:
    """As the phone does."""
    base = lab.ask("status")["http"]
    request = urllib.request.Request(f"{base}p/{name}", headers={"User-Agent": AGENT})
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def phone(lab: Lab) -> dict[str, Any]:
    rows: list[dict[str, Any]] = lab.ask("devices")
    return next((row for row in rows if row["mac"] == MAC), {"rung": None})


def wait(lab: Lab, revision: str, *options: str) -> tuple[int, dict[str, Any]]:
    state = ("--state", str(lab.server.state))
    done = lab.run("wait", "--revision", revision, "-o", "json", *state, *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_commit_and_its_revert_are_fetched_and_status_history_trace_and_wait_say_so(lab: Lab) -> None:
    lab.git.commit({FILE: "a=1\n"})
    start(lab)
    assert fetch(lab) == b"a=1\n"
    row = phone(lab)
    assert (row["rung"], row["vendor"], row["model"], row["key"]) == ("fetched", "yealink", "T46S", KEY)
    for body, made in ((b"a=2\n", lab.git.commit({FILE: "a=2\n"})), (b"a=1\n", None)):
        commit = made or lab.revert()
        status, answer = wait(lab, commit, "--for", "applied")
        assert status == 0
        eventually("the phone is behind", lambda: phone(lab)["rung"] != "fetched")
        status, answer = wait(lab, commit, "--for", "fetched", "--timeout", "1s")
        assert status == 1 and (answer["planned"], answer["fetched"]) == (1, 0), answer
        assert fetch(lab) == body
        status, answer = wait(lab, commit, "--for", "fetched")
        assert (status, answer["planned"], answer["fetched"], answer["unreachable"]) == (0, 1, 1, 0), answer
        assert phone(lab)["rung"] == "fetched"
        assert lab.command("status")["ladder"]["fetched"] == 1
    eventually("it is on the disk", lambda: lab.command("history", KEY)[0]["delivery"]["fetched"] == 1)
    newest, older, _ = lab.command("history", KEY)
    assert newest["delivery"]["fetched"] == 1 and older["delivery"]["fetched"] == 0
    (traced,) = lab.command("trace", KEY)["devices"]
    assert (traced["device"], traced["rung"]) == (MAC, "fetched") and traced["has"] is not None
    text = lab.run("get", "devices", "--state", str(lab.server.state)).stdout.decode()
    assert MAC in text and "fetched" in text
    text = lab.run("trace", KEY, "--state", str(lab.server.state)).stdout.decode()
    assert "1 fetch it by URL" in text


def test_a_phone_that_is_behind_is_waited_for_after_a_kill_of_the_server(lab: Lab) -> None:
    lab.git.commit({FILE: "a=1\n"})
    start(lab)
    fetch(lab)
    eventually("it is on the disk", lambda: lab.command("history", KEY)[0]["delivery"]["fetched"] == 1)
    made = lab.git.commit({FILE: "a=2\n"})
    assert wait(lab, made, "--for", "applied")[0] == 0
    status, answer = wait(lab, made, "--for", "fetched", "--timeout", "1s")
    assert (status, answer["planned"]) == (1, 1), answer
    lab.server.end(signal.SIGKILL)
    start(lab)
    status, answer = wait(lab, made, "--for", "fetched", "--timeout", "0s")
    assert (status, answer["planned"], answer["fetched"]) == (1, 1, 0), answer
    assert fetch(lab) == b"a=2\n"
    status, answer = wait(lab, made, "--for", "fetched")
    assert (status, answer["planned"], answer["fetched"]) == (0, 1, 1), answer


def test_names_of_the_repository_are_fetched_and_its_decoys_are_an_alarm(lab: Lab) -> None:
    rules = 'files: [{name: "handset-{mac}.ini", profile: "{mac}"}]\ndecoys: [001565000001]\n'
    lab.git.commit({FILE: "a=1\n"})
    start(lab)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(lab, f"handset-{MAC}.ini")
    wait(lab, lab.git.commit({"profiles/profiles.yaml": rules}), "--for", "applied")
    assert fetch(lab, f"handset-{MAC}.ini") == b"a=1\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(lab, "001565000001.cfg")
    alarm = next(one for one in lab.ask("status")["conditions"] if one["type"] == "Alarm")
    assert "127.0.0.1 asked for the decoy 001565000001" in alarm["message"]
    with pytest.raises(urllib.error.HTTPError, match="429"):
        fetch(lab, f"handset-{MAC}.ini")


CLOSED = "notify: {deny: [{cron: '0 0 * * *', duration: 24h}]}\n"
"""Each day from midnight on, all day: it never opens."""


@pytest.mark.peer
def test_a_held_change_says_why_and_an_emergency_goes_out_at_once(lab: Lab) -> None:
    alice = "profiles/user/example.com/alice.xml"
    lab.git.commit({FILE: "a=1\n", alice: "<a/>", "profiles/defaults.yaml": CLOSED})
    start(lab)
    phone_ = lab.phone("watch", "alice", 2)
    phone_.has(1)
    fetch(lab)
    lab.git.commit({FILE: "a=2\n", alice: "<b/>"})
    eventually("both are held", lambda: lab.ask("status")["ladder"]["held"] == 2)
    (row,) = lab.ask("subscriptions")
    for one in (row, phone(lab)):
        assert one["rung"] == "held" and one["reason"], one
    assert len(phone_.notifies()) == 1, "nothing was sent"
    text = lab.run("status", "--state", str(lab.server.state)).stdout.decode()
    assert "2 held" in text and row["reason"] in text
    assert fetch(lab) == b"a=2\n", "who asks gets the newest"
    assert phone(lab)["rung"] == "fetched"
    lab.git.commit({alice: "<c/>"}, "Now\n\nDeliver: now")
    assert phone_.finish()[1].body == b"<c/>"
    eventually("nobody waits", lambda: lab.ask("status")["ladder"]["acknowledged"] == 1)
