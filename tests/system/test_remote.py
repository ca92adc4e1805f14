"""`serve --repo URL`: a push from a second clone reaches phones, whatever becomes of the remote and of the clone."""

import os
import shutil
import signal
import ssl
import stat
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remotes import TOKEN, GitDaemon, HTTPRemote, SSHDaemon
from tests.repositories import Git
from tests.transport.authority import Authority

from .lab import Lab, eventually, profile

pytestmark = pytest.mark.system


class Origin:
    """The remote of a laboratory: what is committed there is pushed to it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.base = lab.folder / "srv"
        self.bare = Git(self.base / "profiles.git", bare=True)
        self.clone = lab.server.state / "clone"
        lab.git("remote", "add", "origin", str(self.bare.folder))

    def push(self, *options: str, **versions: int) -> str:
        commit = self.lab.write(**versions)
        self.lab.git("push", "-q", *options, "origin", "main")
        return commit

    @property
    def file_url(self) -> str:
        return f"file://{self.bare.folder}"

    def applied(self, commit: str) -> None:
        """Wait until it is in force."""
        eventually(f"{commit} is applied", lambda: (self.lab.ask("status")["applied"] or {}).get("commit") == commit)


@pytest.fixture
def origin(lab: Lab) -> Origin:
    return Origin(lab)


@pytest.fixture
def web(lab: Lab, origin: Origin) -> Iterator[HTTPRemote]:
    authority = Authority(lab.folder / "ca")
    issued = authority.issue("server", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    remote = HTTPRemote(origin.base, context)
    (lab.folder / "token").write_text(f"{TOKEN}\n")
    lab.server.environment = {
        "GITOPS_PROFILE_REPOSITORY__TOKEN_FILE": str(lab.folder / "token"),
        "GITOPS_PROFILE_REPOSITORY__CA_FILE": str(authority.certificate),
    }
    yield remote
    remote.stop()


def _watched(lab: Lab, origin: Origin, url: str) -> None:
    """A phone gets what is there, then what is pushed: by the interval, and at once when somebody says so."""
    first = origin.push(alice=1)
    lab.server.start("--repo", url, "--fetch", "1s")
    assert lab.ask("status")["applied"]["commit"] == first
    phone = lab.phone("watch", "alice", 3)
    phone.has(1)
    origin.push(alice=2)
    phone.has(2)
    lab.server.end()
    lab.server.start("--repo", url, "--fetch", "1h")
    third = origin.push(alice=3)
    said = lab.command("reconcile")
    assert (said["verdict"], said["commit"]) == ("applied", third)
    assert [message.body for message in phone.finish()] == [profile("alice", version) for version in (1, 2, 3)]
    source = lab.ask("status")["source"]
    assert source["url"] == url and source["last_fetch"] and source["next_fetch"]
    assert source["last_fetch_error"] is None


def test_a_file_url(lab: Lab, origin: Origin) -> None:
    _watched(lab, origin, origin.file_url)


def test_git_daemon(lab: Lab, origin: Origin) -> None:
    daemon = GitDaemon(origin.base)
    try:
        _watched(lab, origin, daemon.url("profiles.git"))
    finally:
        daemon.stop()


def test_ssh(lab: Lab, origin: Origin) -> None:
    daemon = SSHDaemon(lab.folder / "ssh")
    lab.server.environment = {
        "GITOPS_PROFILE_REPOSITORY__SSH_KEY": str(daemon.key),
        "GITOPS_PROFILE_REPOSITORY__KNOWN_HOSTS": str(daemon.known_hosts),
    }
    try:
        _watched(lab, origin, daemon.url(origin.bare.folder))
    finally:
        daemon.stop()


def test_https(lab: Lab, origin: Origin, web: HTTPRemote) -> None:
    _watched(lab, origin, web.url("profiles.git"))


def test_the_token_is_found_nowhere(lab: Lab, origin: Origin, web: HTTPRemote) -> None:
    origin.push(alice=1)
    lab.server.environment.pop("GITOPS_PROFILE_REPOSITORY__TOKEN_FILE")
    lab.server.environment["GITOPS_PROFILE_REPOSITORY__TOKEN"] = TOKEN
    lab.server.start("--repo", web.url("profiles.git"), "--fetch", "1s", "--http", "127.0.0.1:0", "-v")
    pair = (web.requests[-1][1] or "").removeprefix("Basic ")
    web.lie = "echo"
    eventually("it fails", lambda: lab.ask("status")["source"]["last_fetch_error"])
    web.lie, count = "hang", len(web.requests)
    eventually("it hangs", lambda: len(web.requests) > count)
    seen = {path: path.read_bytes() for path in lab.server.state.rglob("*") if path.is_file()}
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            seen[line] = line.read_bytes()
        except OSError:
            continue  # it has ended
    assert any(b"git-remote-https" in data for data in seen.values())
    with urllib.request.urlopen(f"{_http(lab)}metrics") as answer:
        metrics = answer.read()
    assert b'gitops_profile_fetches_total{result="failed"}' in metrics
    seen |= {Path("metrics"): metrics, Path("log"): lab.server.stderr().encode()}
    seen[Path("status")] = str(lab.ask("status")).encode() + lab.run("status", "--state", str(lab.server.state)).stdout
    assert (
        pair and [str(place) for place, data in seen.items() if TOKEN.encode() in data or pair.encode() in data] == []
    )


def _http(lab: Lab) -> str:
    url: str = lab.ask("status")["http"]
    return url


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://ann:hunter2@git.example.com/x", "repository.token_file"),
        ("https://hunter2@git.example.com/x", "repository.token_file"),
        ("ext::sh -c hunter2", "runs a program"),
        ("-oProxyCommand=hunter2", "dash"),
    ],
)
def test_a_url_that_is_refused_is_one_line_without_what_is_secret(lab: Lab, url: str, hint: str) -> None:
    done = lab.run("serve", f"--repo={url}", "--state", str(lab.server.state), "--listen", "udp:127.0.0.1:0")
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 2 and len(lines) == 1 and hint in lines[0], lines
    assert url.startswith("-") or "hunter2" not in lines[0]
    assert not lab.server.state.exists()


def test_a_token_in_the_settings_file_is_refused(lab: Lab) -> None:
    file = lab.folder / "settings.yaml"
    file.write_text("repository: {url: 'https://git.example.com/x', token: hunter2}\n")
    done = lab.run("serve", "--config", str(file))
    assert done.returncode == 2 and b"repository.token_file" in done.stderr and b"hunter2" not in done.stderr


def test_without_a_log_a_remote_that_is_down_is_awaited_before_anybody_is_served(lab: Lab, origin: Origin) -> None:
    daemon = GitDaemon(origin.base)
    url = daemon.url("profiles.git")
    daemon.stop()
    lab.server.launch("--repo", url)
    eventually("it says so", lambda: "source unavailable" in lab.server.stderr())
    assert lab.ask("status")["listening"] == [], "an empty table would be told to phones as documents that are gone"
    assert not lab.ask("status")["ready"]
    commit = origin.push(alice=1)
    daemon.start()
    try:
        lab.server.wait_ready()
    finally:
        daemon.stop()
    assert lab.ask("status")["applied"]["commit"] == commit
    assert lab.server.stderr().count("source unavailable") == 1
    assert lab.server.stderr().count("source available again") == 1


@pytest.mark.parametrize("lost", [False, True])
def test_with_a_log_phones_are_served_while_the_remote_is_down(lab: Lab, origin: Origin, lost: bool) -> None:
    daemon = GitDaemon(origin.base)
    url = daemon.url("profiles.git")
    origin.push(alice=1)
    origin.push(alice=2)
    lab.server.start("--repo", url)
    lab.server.end()
    daemon.stop()
    if lost:
        shutil.rmtree(origin.clone)
    lab.server.start("--repo", url)
    phone = lab.phone("watch", "alice", 2)
    assert phone.has(1)[0].body == profile("alice", 2)
    eventually("it says so", lambda: lab.ask("status")["source"]["last_fetch_error"])
    assert "cannot be reached" in lab.ask("status")["source"]["last_fetch_error"]
    refused = lab.run("reconcile", "--state", str(lab.server.state))
    assert refused.returncode != 0 and b"cannot be reached" in refused.stderr
    origin.push(alice=3)
    daemon.start()
    try:
        assert lab.command("reconcile")["verdict"] == "applied"
        assert phone.finish()[-1].body == profile("alice", 3)
    finally:
        daemon.stop()
    assert lab.ask("status")["source"]["last_fetch_error"] is None
    assert [e for e in lab.events() if e["type"] == "HistoryRewritten"] == [], "it was a fast-forward"


@pytest.mark.parametrize("lie", ["html", "half", "drip"])
def test_a_remote_that_lies_leaves_phones_served_and_is_one_line(
    lab: Lab, origin: Origin, web: HTTPRemote, lie: str
) -> None:
    origin.push(alice=1)
    if lie == "drip":  # the others answer, on a busy machine after more than that
        lab.server.environment["GITOPS_PROFILE_REPOSITORY__TIMEOUT"] = "3s"
    lab.server.start("--repo", web.url("profiles.git"), "--fetch", "1s")
    eventually("the history came", lambda: not (origin.clone / "shallow").exists())  # which may take longer
    origin.push(alice=2)
    before = lab.server.stderr().count("source unavailable")  # in three seconds a busy machine clones nothing
    web.lie = lie
    eventually("it says so", lambda: lab.server.stderr().count("source unavailable") > before)
    phone = lab.phone("watch", "alice", 2)
    served = phone.has(1)[0].body
    for _ in range(2):
        assert lab.run("reconcile", "--state", str(lab.server.state)).returncode != 0
    web.lie = ""
    assert lab.command("reconcile")["verdict"] == "applied"
    assert served == profile("alice", 1) and phone.finish()[-1].body == profile("alice", 2)
    lines = lab.server.stderr().splitlines()
    for said in ("source unavailable", "source available again"):
        assert len([line for line in lines if said in line]) == before + 1, lines
    assert [line for line in lines if "damaged" in line] == []


def test_a_remote_that_hangs_does_not_hold_up_phones_or_the_end(lab: Lab, origin: Origin, web: HTTPRemote) -> None:
    origin.push(alice=1)
    lab.server.start("--repo", web.url("profiles.git"), "--fetch", "1s")
    web.lie, count = "hang", len(web.requests)
    eventually("it hangs", lambda: len(web.requests) > count)
    lab.phone("watch", "alice", 1).finish()
    assert lab.server.end() == 0
    assert lab.server.stderr().count("Traceback") == 0


@pytest.mark.parametrize("lost", [False, True])
def test_a_remote_that_hangs_at_the_start_holds_nobody_up(
    lab: Lab, origin: Origin, web: HTTPRemote, lost: bool
) -> None:
    origin.push(alice=1)
    lab.server.start("--repo", web.url("profiles.git"))
    lab.server.end()
    if lost:
        shutil.rmtree(origin.clone)
    web.lie = "hang"
    lab.server.start("--repo", web.url("profiles.git"))
    lab.phone("watch", "alice", 1).finish()


def test_a_ref_that_is_deleted_rewritten_and_replaced_at_the_remote(lab: Lab, origin: Origin) -> None:
    first = origin.push(alice=1)
    origin.push(alice=2)
    lab.server.start("--repo", origin.file_url, "--fetch", "1s")
    phone = lab.phone("watch", "alice", 4)
    phone.has(1)
    origin.bare("config", "receive.denyDeleteCurrent", "ignore")
    lab.git("push", "-q", "origin", ":main")
    eventually("it says so", lambda: "does not exist, waiting for it" in lab.server.stderr())
    lab.git("reset", "-q", "--hard", first)
    origin.push("--force", alice=3)
    phone.has(2)
    assert [e["type"] for e in lab.events()].count("HistoryRewritten") == 1
    lab.git("checkout", "-q", "--orphan", "other")
    lab.git("branch", "-D", "main")
    lab.git("branch", "-m", "main")
    origin.push("--force", alice=4)
    origin.bare("gc", "-q", "--prune=now")
    phone.has(3)
    assert [e["type"] for e in lab.events()].count("HistoryRewritten") == 2
    origin.push(alice=5)
    assert phone.finish()[-1].body == profile("alice", 5)
    assert [e["type"] for e in lab.events()].count("HistoryRewritten") == 2


def _damage(clone: Path, how: str) -> None:
    objects = [*clone.glob("objects/??/*"), *clone.glob("objects/pack/*.pack")]
    assert objects
    for path in objects:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
        data = bytearray(path.read_bytes())
        match how:
            case "deleted":
                path.unlink()
            case "truncated":
                os.truncate(path, len(data) // 2)
            case "flipped":
                data[len(data) // 2] ^= 0xFF
                path.write_bytes(data)


@pytest.mark.parametrize(
    ("how", "restarted"), [("deleted", False), ("flipped", True), ("truncated", False), ("folder", False)]
)
def test_a_damaged_clone_is_made_anew_and_phones_get_the_next_commit(
    lab: Lab, origin: Origin, how: str, restarted: bool
) -> None:
    origin.push(alice=1, bob=1)
    lab.server.start("--repo", origin.file_url, "--fetch", "1s")
    phone = lab.phone("watch", "alice", 2)
    phone.has(1)
    if restarted:
        lab.server.end()
    if how == "folder":
        origin.clone.rename(lab.folder / "gone")  # at once: git may be writing into it
    else:
        _damage(origin.clone, how)
    if restarted:
        lab.server.start("--repo", origin.file_url, "--fetch", "1s")
    commit = origin.push(alice=2)
    assert phone.finish()[-1].body == profile("alice", 2)
    origin.applied(commit)
    assert [e["type"] for e in lab.events() if e["type"] in ("RevisionRejected", "HistoryRewritten")] == []
    assert lab.run("log", "verify", "--repo", origin.file_url, "--state", str(lab.server.state)).returncode == 0


def test_killed_in_the_middle_of_a_fetch_and_of_a_first_clone(lab: Lab, origin: Origin, web: HTTPRemote) -> None:
    first = origin.push(alice=1)
    web.lie = "hang"
    lab.server.launch("--repo", web.url("profiles.git"), "--fetch", "1s")
    eventually("it hangs", lambda: web.requests)
    lab.server.end(signal.SIGKILL)
    web.lie = ""
    lab.server.start("--repo", web.url("profiles.git"), "--fetch", "1s")
    origin.applied(first)
    web.lie, count = "hang", len(web.requests)
    eventually("it hangs", lambda: len(web.requests) > count)
    lab.server.end(signal.SIGKILL)
    for lock in ("shallow.lock", "refs/heads/main.lock"):
        (origin.clone / lock).write_text("")
    second = origin.push(alice=2)
    web.lie = ""
    lab.server.start("--repo", web.url("profiles.git"), "--fetch", "1s")
    origin.applied(second)


def test_commands_read_the_clone_of_the_server(lab: Lab, origin: Origin) -> None:
    first = origin.push(alice=1)
    origin.push(alice=2)
    where = ("--repo", origin.file_url, "--state", str(lab.server.state))
    early = lab.run("render", "user/example.com/alice", *where)
    assert early.returncode == 2 and b"gitops-profile serve" in early.stderr
    lab.server.start("--repo", origin.file_url, "--fetch", "1s")
    eventually("the history came", lambda: not (origin.clone / "shallow").exists())
    assert lab.run("render", "user/example.com/alice", *where).stdout == profile("alice", 2)
    assert lab.run("render", "user/example.com/alice", "--at", first, *where).stdout == profile("alice", 1)
    assert lab.run("render", "user/example.com/alice", "--at", "main~1", *where).stdout == profile("alice", 1)
    assert lab.run("history", "user/example.com/alice", "--state", str(lab.server.state)).returncode == 0
    assert lab.run("log", "verify", *where).returncode == 0
    assert lab.run("plan", "main~1..main", *where[:2], "--config", str(_settings(lab))).returncode == 3
    assert lab.run("log", "rebuild", *where).returncode == 2, "a server has the state folder"
    lab.server.end()
    assert lab.run("log", "rebuild", *where).returncode == 0
    lab.server.start("--repo", origin.file_url)
    lab.phone("watch", "alice", 1).finish()


def _settings(lab: Lab) -> Path:
    file = lab.folder / "settings.yaml"
    file.write_text(f"state: {lab.server.state}\n")
    return file
