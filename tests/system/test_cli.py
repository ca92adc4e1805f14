"""The command line as a person or a program uses it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_profile.presentity import entity_tag
from tests.repositories import ENVIRONMENT, Git

from .lab import Lab, file_of, profile

pytestmark = pytest.mark.system


def test_the_demo_ends_well(lab: Lab) -> None:
    done = lab.run("demo")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"NOTIFY to alice@example.com") == 2 and b"done: " in done.stdout
    assert done.stdout.count(b"NOTIFY check-sync;reboot=false") == 2


def test_check_says_where_the_problem_is(lab: Lab) -> None:
    lab.write(alice=1)
    done = lab.run("check")
    assert (done.returncode, done.stdout) == (0, b"1 profiles, 0 problems\n")
    lab.git.write({"profiles/user/example.com/carol.yaml": "body: x\nnonsense: 1\n"})
    done = lab.run("check")
    assert done.returncode == 1 and b"user/example.com/carol.yaml:2:" in done.stdout, done.stdout
    assert lab.run("check", file_of("alice")).returncode == 0, "a problem elsewhere is not asked for"
    (problem,) = json.loads(lab.run("check", "-o", "json").stdout)
    assert (problem["path"], problem["line"]) == ("user/example.com/carol.yaml", 2)
    done = lab.run("check", "profiles/nowhere")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_check_is_not_held_up_by_a_template_that_never_ends(lab: Lab) -> None:
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    lab.write(alice=1)
    lab.git.write({"profiles/templates/t.j2": loop, "profiles/user/example.com/dora.yaml": "template: t.j2\n"})
    done = lab.run("check")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1 and lines[-1] == "1 profiles, 1 problems", done
    assert lines[0].startswith("user/example.com/dora.yaml: did not finish within 5 seconds"), lines
    assert lab.run("check", "--ref", "HEAD").returncode == 0, "nothing of it is committed"


@pytest.mark.peer
def test_render_gives_the_bytes_of_the_notify(lab: Lab) -> None:
    lab.git.commit(
        {
            "profiles/defaults.yaml": "values: {ring: 30}\n",
            "profiles/templates/p.j2": "<p ring='{{ ring }}'>{{ label }}</p>\n",
            "profiles/user/example.com/dora.yaml": "template: templates/p.j2\nvalues: {label: Dörte}\n"
            "content_type: text/xml\n",
        }
    )
    lab.server.start()
    (notify,) = lab.phone("fetch", "dora").finish()
    done = lab.run("render", "user/example.com/dora")
    assert done.returncode == 0 and done.stdout == notify.body == "<p ring='30'>Dörte</p>\n".encode()
    assert lab.run("render", "sip:dora@example.com", "--at", "HEAD").stdout == notify.body
    done = lab.run("render", "user/example.com/nobody")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def test_render_gives_what_a_phone_of_some_kind_gets_also_under_an_alias(lab: Lab) -> None:
    lab.git.commit(
        {
            "profiles/user/example.com/dora.yaml": "body: all\naliases: ['sip:d@example.com']\nvariants:\n"
            "  - when: {vendor: 'yea*', model: 'T4?'}\n    body: desk\n"
            "  - when: {version: 1.10}\n    body: '{}'\n    content_type: application/json\n"
        }
    )
    assert lab.run("render", "sip:d@example.com").stdout == b"all"
    phone = ("--vendor", "Yealink", "--model", "T46")
    assert lab.run("render", "user/example.com/d", *phone).stdout == b"desk"
    done = json.loads(lab.run("render", "sip:d@example.com", "--version", "1.10", "--at", "HEAD", "-o", "json").stdout)
    assert (done["key"], done["content_type"], done["body"]) == (
        "user/example.com/dora",
        "application/json",
        "{}",
    )
    assert done["etag"] == entity_tag("application/json", b"{}")


@pytest.mark.peer
def test_looking_at_a_running_server(lab: Lab) -> None:
    commit = lab.write(alice=1)
    lab.server.start()
    lab.phone("watch", "alice").finish()
    (row,) = lab.command("get", "presentities")
    assert (row["key"], row["bytes"], row["commit"]) == ("user/example.com/alice", len(profile("alice", 1)), commit)
    (held,) = lab.command("get", "subscriptions")
    assert (held["key"], held["user_agent"]) == ("user/example.com/alice", "sipp")
    assert lab.command("reconcile")["verdict"] == "applied"
    events = lab.events()
    assert [event["position"] for event in events] == [1, 2]
    assert [event["type"] for event in events] == ["ProfileAdded", "RevisionApplied"]
    assert events[1]["data"]["revision"]["author"] == "Ann Author <ann@example.com>"
    for command in (["status"], ["get", "presentities"], ["get", "subscriptions"], ["events"]):
        done = lab.run(*command, "--state", str(lab.server.state))
        assert done.returncode == 0 and done.stdout and not done.stderr, (command, done)


def test_the_log_is_verified_and_rebuilt(lab: Lab) -> None:
    lab.write(alice=1)
    lab.server.start()
    lab.write(alice=2, bob=1)
    assert lab.command("reconcile")["verdict"] == "applied"
    options = ("--state", str(lab.server.state))
    done = lab.run("log", "rebuild", *options)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, "a server runs on it"
    lab.server.end()
    assert lab.run("log", "verify", *options).returncode == 0
    segment = sorted((lab.server.state / "log").glob("*.jsonl"))[0]
    good = segment.read_bytes()
    segment.write_bytes(good.replace(b"ProfileAdded", b"ProfileAddee", 1))
    done = lab.run("log", "verify", *options)
    assert done.returncode == 1 and segment.name.encode() in done.stderr and len(done.stderr.splitlines()) == 1
    for snapshot in (lab.server.state / "log").glob("*snapshot*"):
        snapshot.unlink()
    done = lab.run("serve", "--repo", str(lab.git.folder), "--listen", "udp:127.0.0.1:0", *options)
    assert done.returncode == 2 and segment.name.encode() in done.stderr, "damage stops the server"
    assert lab.run("log", "rebuild", *options).returncode == 0
    assert lab.run("log", "verify", *options).returncode == 0
    lab.server.start()
    keys = [row["key"] for row in lab.command("get", "presentities")]
    assert keys == ["user/example.com/alice", "user/example.com/bob"]


@pytest.mark.parametrize("command", ["events", "get presentities", "get presentities -o json", "schema manifest"])
def test_a_reader_that_goes_away_sees_no_traceback(lab: Lab, command: str, tmp_path: Path) -> None:
    lab.write(**{f"user{number}": number for number in range(300)})
    lab.server.start()
    state = "" if command.startswith("schema") else f"--state {lab.server.state}"
    shell = f"set -o pipefail; {sys.executable} -m gitops_profile {command} {state} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.stderr == "" and len(done.stdout.splitlines()) == 1


def test_a_profile_repository_that_is_a_submodule_is_as_good_as_another(lab: Lab) -> None:
    lab.write(alice=1)
    around = Git(lab.folder / "around")
    around("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(lab.git.folder), "phones")
    phones, state = str(around.folder / "phones"), str(lab.folder / "s")
    lab.git = Git(around.folder / "phones")  # its commands are run in there
    lab.write(alice=2)
    lab.git.write({file_of("bob"): profile("bob", 1)})
    lab.git("add", "-A")

    def said(*arguments: str, status: int = 0) -> str:
        done = lab.run(*arguments)
        assert done.returncode == status, done
        return done.stdout.decode()

    for arguments in (("--staged",), ("--ref", "HEAD"), ()):
        assert "0 problems" in said("check", *arguments)
    assert "user/example.com/alice" in said("plan", "HEAD~1..HEAD", status=3)
    assert said("render", "user/example.com/alice", "--at", "HEAD~1") == profile("alice", 1).decode()
    assert "nothing was pushed" in said("rollback", "user/example.com/alice")
    assert "1 profiles" in said("log", "rebuild", "--repo", phones, "--state", state)
    assert "0 differences" in said("log", "verify", "--repo", phones, "--state", state)
