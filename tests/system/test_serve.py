"""Starting and stopping: one line that says what to do, or `ready`."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from gitops_profile.http import AdminError
from tests.repositories import Git

from .lab import Lab, eventually

pytestmark = pytest.mark.system


def _refused(lab: Lab, *options: str) -> str:
    """The one line on standard error of a server that does not start."""
    done = lab.run("serve", *options)
    lines = [line for line in done.stderr.decode().splitlines() if " INFO " not in line]
    assert done.returncode == 2, done
    assert done.stdout == b"" and len(lines) == 1, done.stderr.decode()
    assert lines[0].startswith("gitops-profile: ")
    return lines[0]


def test_a_port_that_is_taken(lab: Lab, tmp_path: Path) -> None:
    lab.write(alice=1)
    for kind, name in ((socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp")):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", 0))
            if name == "tcp":
                taken.listen()
            listener = f"{name}:127.0.0.1:{taken.getsockname()[1]}"
            line = _refused(lab, "--repo", str(lab.git.folder), "--state", str(tmp_path / "s"), "--listen", listener)
            assert listener in line and "choose another --listen" in line, line


def test_a_folder_that_is_no_repository(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    line = _refused(lab, "--repo", str(folder), "--state", str(tmp_path / "s"), "--listen", "udp:127.0.0.1:0")
    assert str(folder) in line and "git init" in line, line


def test_a_ref_that_does_not_exist(lab: Lab, tmp_path: Path) -> None:
    lab.write(alice=1)
    options = ("--repo", str(lab.git.folder), "--state", str(tmp_path / "s"), "--listen", "udp:127.0.0.1:0")
    line = _refused(lab, *options, "--ref", "nonsense")
    assert "nonsense" in line and "--ref" in line, line


def test_a_second_server_on_one_state_folder(lab: Lab) -> None:
    lab.write(alice=1)
    lab.server.start()
    pid = lab.server.process.pid if lab.server.process else 0
    options = ("--repo", str(lab.git.folder), "--state", str(lab.server.state), "--listen", "udp:127.0.0.1:0")
    line = _refused(lab, *options)
    assert str(pid) in line and str(lab.server.state) in line, line
    assert lab.ask("status")["ready"], "the first server lives on"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(lab: Lab, number: signal.Signals) -> None:
    lab.write(alice=1)
    lab.server.start()
    assert lab.server.end(number) == 0
    assert not [line for line in lab.server.stderr().splitlines() if " INFO " not in line]
    done = lab.run("status", "--state", str(lab.server.state))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_an_empty_repository_waits_for_its_first_commit(lab: Lab) -> None:
    lab.server.launch()
    eventually("it says that it waits", lambda: "waiting for the first commit" in lab.server.stderr())
    lab.write(alice=1)
    lab.server.wait_ready()
    assert lab.ask("presentities")[0]["key"] == "user/example.com/alice"


def test_the_signal_is_heard_while_it_waits(lab: Lab) -> None:
    lab.server.launch()
    eventually("it says that it waits", lambda: "waiting for the first commit" in lab.server.stderr())
    assert lab.server.end() == 0


def test_health_over_http(lab: Lab) -> None:
    lab.write(alice=1)
    lab.server.start("--http", "127.0.0.1:0")
    url = lab.ask("status")["http"]
    answer = subprocess.run(
        ["/usr/bin/env", "python3", "-c", "import sys,urllib.request as u;print(u.urlopen(sys.argv[1]).status)",
         url + "healthz"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout.strip() == "200"


def test_a_bare_repository_that_is_pushed_to(lab: Lab) -> None:
    """Push, force-push, deletion of the branch and its return; each is followed, and in between phones are served."""
    bare = Git(lab.folder / "bare.git", bare=True)
    lab.server.repository = bare.folder
    lab.git("remote", "add", "origin", str(bare.folder))
    first = lab.write(alice=1)
    lab.git("push", "-q", "origin", "main")
    lab.server.start()

    def in_force(commit: str) -> None:
        eventually(f"{commit} is in force", lambda: lab.ask("status")["applied"]["commit"] == commit)

    in_force(first)
    second = lab.write(alice=2, bob=1)
    lab.git("push", "-q", "origin", "main")
    in_force(second)
    lab.git("reset", "-q", "--hard", first)
    third = lab.write(alice=3)
    lab.git("push", "-q", "--force", "origin", "main")
    in_force(third)
    keys = [row["key"] for row in lab.ask("presentities")]
    assert keys == ["user/example.com/alice"], "what only the forgotten commit had is gone"
    bare("update-ref", "-d", "refs/heads/main")
    eventually("its absence is noticed", lambda: "waiting for" in lab.server.stderr())
    assert lab.ask("status")["applied"]["commit"] == third
    fourth = lab.write(alice=4)
    lab.git("push", "-q", "origin", "main")
    in_force(fourth)
    types = [line["type"] for line in lab.events()]
    assert types.count("RevisionApplied") == 4 and types.count("HistoryRewritten") == 1, types


def test_a_repository_that_is_moved_away_is_served_on_and_followed_when_it_is_back(lab: Lab) -> None:
    first = lab.write(alice=1)
    lab.server.start()
    away = lab.folder / "away"
    lab.git.folder.rename(away)
    with pytest.raises(AdminError, match="is gone"):
        lab.ask("reconcile")
    eventually("it says so", lambda: f"{lab.git.folder} is gone" in lab.server.stderr())
    assert "does not exist" not in lab.server.stderr()
    assert lab.ask("status")["applied"]["commit"] == first
    assert [row["key"] for row in lab.ask("presentities")] == ["user/example.com/alice"]
    away.rename(lab.git.folder)
    second = lab.write(alice=2)
    eventually("it is followed", lambda: lab.ask("reconcile")["commit"] == second)


def command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it has ended


def test_a_loader_process_that_is_killed_harms_no_commit(lab: Lab) -> None:
    """As the kernel does it when the memory runs out: between commits, and again and again during them."""
    commit = lab.write(alice=0)
    lab.server.start()
    pid = lab.server.process.pid if lab.server.process else 0
    for version in range(1, 6):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        loaders = [child for child in children if b"reconcile.worker" in command_line(child)]
        assert loaders, children
        os.kill(int(loaders[0]), signal.SIGKILL)
        commit = lab.write(alice=version)
        assert lab.ask("reconcile")["commit"] == commit
    assert {event["type"] for event in lab.events()} == {"ProfileAdded", "ProfileChanged", "RevisionApplied"}


def test_a_server_that_is_ready_looks_for_garbage(lab: Lab) -> None:
    """It does not while it starts; a server that never does grows until it is killed."""
    (lab.folder / "asked").mkdir()
    (lab.folder / "asked" / "sitecustomize.py").write_text(
        "import gc, os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'%d\\n' % gc.isenabled()))\n"
    )
    path = [str(lab.folder / "asked"), *filter(None, [os.environ.get("PYTHONPATH")])]
    lab.server.environment["PYTHONPATH"] = os.pathsep.join(path)
    lab.write(alice=1)
    lab.server.start()
    process = lab.server.process
    assert process is not None and process.stdout is not None
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline() == b"1\n"
