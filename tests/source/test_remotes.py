"""Real remotes: git daemon, sshd, git http-backend over TLS; and those that lie."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gitops_profile.source import RemoteAccess, Repository, SourceUnavailable
from tests.remotes import TOKEN, GitDaemon, HTTPRemote, SSHDaemon
from tests.transport.authority import Authority

from .clone_lab import CloneLab

# -- git daemon and ssh ----------------------------------------------------------------------------------------------


async def test_git_daemon(lab: CloneLab) -> None:
    daemon = GitDaemon(lab.remote.base)
    try:
        lab.url = daemon.url("profiles.git")
        first = lab.remote.push("a: 1\n")
        clone = await lab.fetched()
        assert lab.read(clone) == first
        daemon.stop()
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            await clone.fetch()
        second = lab.remote.push("a: 2\n")
        daemon.start()
        await clone.fetch()
        assert lab.read(clone) == second
        lab.url = daemon.url("nothing.git")
        with pytest.raises(SourceUnavailable, match="look at the path"):
            await lab.fetched()
    finally:
        daemon.stop()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[SSHDaemon]:
    daemon = SSHDaemon(tmp_path / "ssh")
    yield daemon
    daemon.stop()


async def test_ssh_with_a_key_and_a_known_host(lab: CloneLab, sshd: SSHDaemon) -> None:
    first = lab.remote.push("a: 1\n")
    lab.url = sshd.url(lab.remote.bare.folder)
    lab.access = RemoteAccess(ssh_key=sshd.key, known_hosts=sshd.known_hosts)
    clone = await lab.fetched()
    assert lab.read(clone) == first
    second = lab.remote.push("a: 2\n")
    await clone.fetch()
    assert lab.read(clone) == second


async def test_an_unknown_and_a_changed_host_key_are_refused(lab: CloneLab, sshd: SSHDaemon, tmp_path: Path) -> None:
    lab.remote.push("a: 1\n")
    lab.url = sshd.url(lab.remote.bare.folder)
    hosts = tmp_path / "hosts"
    for line in ("", f"[127.0.0.1]:{sshd.port} {sshd.key.with_suffix('.pub').read_text()}"):
        hosts.write_text(line)
        lab.access = RemoteAccess(ssh_key=sshd.key, known_hosts=hosts)
        with pytest.raises(SourceUnavailable, match="repository.known_hosts"):
            await lab.fetched()
        assert hosts.read_text() == line, "nothing is learnt"


async def test_a_key_that_is_not_let_in_or_not_there(lab: CloneLab, sshd: SSHDaemon, tmp_path: Path) -> None:
    lab.remote.push("a: 1\n")
    lab.url = sshd.url(lab.remote.bare.folder)
    for key in (sshd.host_key, tmp_path / "none"):
        lab.access = RemoteAccess(ssh_key=key, known_hosts=sshd.known_hosts)
        with pytest.raises(SourceUnavailable, match="repository.ssh_key"):
            await lab.fetched()


# -- https -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def web(lab: CloneLab, tmp_path: Path) -> Iterator[HTTPRemote]:
    authority = Authority(tmp_path / "ca")
    issued = authority.issue("server", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    remote = HTTPRemote(lab.remote.base, context)
    lab.url = remote.url("profiles.git")
    lab.access = RemoteAccess(token=TOKEN, ca_file=authority.certificate)
    yield remote
    remote.stop()


async def test_https_with_a_token(lab: CloneLab, web: HTTPRemote) -> None:
    first = lab.remote.push("a: 1\n")
    clone = await lab.fetched()
    assert lab.read(clone) == first
    second = lab.remote.push("a: 2\n")
    await clone.fetch()
    assert lab.read(clone) == second
    assert all(header for _, header in web.requests), "nothing is asked without it"


async def test_a_token_file_is_read_at_every_fetch(lab: CloneLab, web: HTTPRemote, tmp_path: Path) -> None:
    first, file = lab.remote.push("a: 1\n"), tmp_path / "token"
    lab.access = RemoteAccess(token_file=file, ca_file=lab.access.ca_file)
    clone = lab.clone()
    await clone.prepare()
    with pytest.raises(SourceUnavailable, match="token file .* cannot be read: No such file"):
        await clone.fetch()
    for wrong in ("", "two words", "two\nlines", "x" * 9000):
        file.write_text(wrong)
        with pytest.raises(SourceUnavailable, match="the token and nothing else"):
            await clone.fetch()
    file.write_text("old")
    with pytest.raises(SourceUnavailable, match="repository.token_file"):
        await clone.fetch()
    file.write_text(f"{TOKEN}\n")
    await clone.fetch()
    assert lab.read(clone) == first


async def test_the_certificate_of_another_authority_is_refused(lab: CloneLab, web: HTTPRemote) -> None:
    lab.access = RemoteAccess(token=TOKEN)
    with pytest.raises(SourceUnavailable, match="repository.ca_file"):
        await lab.fetched()
    assert web.requests == [], "and is told nothing"


async def test_a_token_is_not_sent_in_the_clear(lab: CloneLab) -> None:
    remote = HTTPRemote(lab.remote.base)
    lab.url, lab.access = remote.url("profiles.git"), RemoteAccess(token=TOKEN)
    with pytest.raises(SourceUnavailable, match="use https"):
        await lab.fetched()
    remote.stop()
    assert remote.requests == []


LINES = {
    "garbage": "does not talk git",
    "html": "does not talk git",
    "401": "repository.token_file",
    "403": "may not read",
    "404": "look at the URL",
    "500": "in trouble itself",
    "301": "has moved",
    "half": "broke off half-way",
    "reset": "broke off half-way|cannot be reached",
    "echo": "may not read",
    "hang": "did not finish within 1 seconds",
    "drip": "did not finish within 1 seconds",
}


@pytest.mark.parametrize("lie", HTTPRemote.LIES)
async def test_a_lying_remote_is_one_line_that_says_what_to_do(lab: CloneLab, web: HTTPRemote, lie: str) -> None:
    first = lab.remote.push("a: 1\n")
    clone = lab.clone()
    await clone.prepare()
    await clone.fetch()
    await clone.fetch()
    settings = clone._settings
    if lie in ("hang", "drip"):  # the others end by themselves, on a busy machine after more than that
        clone._settings = replace(settings, timeout=1)
    second = lab.remote.push("a: 2\n" + "#" * 3000)
    web.lie = lie
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match=LINES[lie]) as caught:
        await clone.fetch()
    assert time.monotonic() - began < 6
    line = str(caught.value)
    assert "\n" not in line and TOKEN not in line and len(line) < 500
    assert lab.read(clone) == first
    web.lie, clone._settings = "", settings
    await clone.fetch()
    assert lab.read(clone) == second and clone.generation == 0, "it was not the clone's fault"


@pytest.mark.parametrize("lie", ["html", "garbage"])
async def test_a_page_is_no_repository_without_refs(lab: CloneLab, web: HTTPRemote, lie: str) -> None:
    web.lie = lie
    with pytest.raises(SourceUnavailable, match="does not talk git"):
        await lab.fetched()


async def test_a_ref_that_is_gone_over_https(lab: CloneLab, web: HTTPRemote) -> None:
    await lab.fetched()
    assert lab.reports[-1].result == "gone", "the repository is empty"
    lab.remote.push("a: 1\n")
    lab.remote.work("push", "-q", "origin", "main:another")
    clone = await lab.fetched("another")
    lab.remote.work("push", "-q", "origin", ":another")
    await clone.fetch()
    assert lab.reports[-1].result == "gone"


async def test_half_a_pack_at_the_very_first(lab: CloneLab, web: HTTPRemote) -> None:
    commit = lab.remote.push("a: 1\n" + "#" * 3000)
    web.lie = "half"
    clone = lab.clone()
    await clone.prepare()
    with pytest.raises(SourceUnavailable, match="half-way"):
        await clone.fetch()
    assert lab.read(clone) is None
    web.lie = ""
    await clone.fetch()
    assert lab.read(clone) == commit


async def test_what_the_remote_sends_back_is_not_shown(
    lab: CloneLab, web: HTTPRemote, caplog: pytest.LogCaptureFixture
) -> None:
    web.lie = "echo"
    with pytest.raises(SourceUnavailable) as caught:
        await lab.fetched()
    sent = web.requests[-1][1]
    assert sent is not None and sent.removeprefix("Basic ") not in str(caught.value)
    assert TOKEN not in caplog.text + str(lab.reports)


async def test_the_token_is_on_no_command_line_and_in_no_file(lab: CloneLab, web: HTTPRemote) -> None:
    lab.remote.push("a: 1\n")
    web.lie = "hang"
    clone = lab.clone()
    await clone.prepare()
    fetching = asyncio.create_task(clone.fetch())
    async with asyncio.timeout(10):
        await asyncio.to_thread(web.asked.wait)
    lines = _command_lines()
    assert any(b"git-remote-https" in line for line in lines), "it is looked at while it runs"
    secrets = [TOKEN.encode(), (web.requests[0][1] or "").encode().removeprefix(b"Basic ")]
    assert [line for line in lines for secret in secrets if secret in line] == []
    fetching.cancel()
    await asyncio.gather(fetching, return_exceptions=True)
    web.lie = ""
    web.ended.set()
    await clone.fetch()
    files = [path for path in clone.path.parent.rglob("*") if path.is_file()]
    assert files and [f for f in files for secret in secrets if secret in f.read_bytes()] == []


async def test_a_cancelled_fetch_leaves_no_process(lab: CloneLab, web: HTTPRemote) -> None:
    web.lie = "hang"
    clone = lab.clone()
    await clone.prepare()
    fetching = asyncio.create_task(clone.fetch())
    async with asyncio.timeout(10):
        await asyncio.to_thread(web.asked.wait)
    fetching.cancel()
    await asyncio.gather(fetching, return_exceptions=True)
    mine = os.fsencode(lab.url)
    assert [line for line in _command_lines() if mine in line] == []


async def test_a_repository_that_is_too_large_is_refused(lab: CloneLab) -> None:
    lab.remote.work.write({"large": os.urandom(3 << 20)})
    lab.remote.push("a: 1\n")
    clone = lab.clone(size=1 << 20)
    await clone.prepare()
    with pytest.raises(SourceUnavailable, match="limits.repository_bytes"):
        await clone.fetch()
    assert lab.read(clone) is None


async def test_an_object_that_is_not_sound_is_refused(lab: CloneLab) -> None:
    work = lab.remote.work
    lab.remote.push("a: 1\n")
    blob = work("hash-object", "-w", "profiles/a.yaml")
    tree = work("mktree", given=f"100644 blob {blob}\t.git\n".encode())
    commit = work("commit-tree", "-m", "evil", tree)
    work("push", "-q", "origin", f"{commit}:refs/heads/evil")
    with pytest.raises(SourceUnavailable, match="not sound"):
        await lab.fetched("evil")


async def test_a_remote_that_knows_no_shallow_clones_gives_its_whole_history(lab: CloneLab, tmp_path: Path) -> None:
    """A dumb HTTP server: nothing but files."""
    first, second = lab.remote.push("a: 1\n"), lab.remote.push("a: 2\n")
    lab.remote.bare("update-server-info")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=lab.remote.base))
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    lab.url = f"http://127.0.0.1:{server.server_address[1]}/profiles.git"
    try:
        clone = await lab.fetched()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    repository = Repository(clone.path)
    assert repository.is_ancestor(first, second) and not clone.wants_history
    repository.close()


def _command_lines() -> list[bytes]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes())
        except OSError:
            continue  # it has ended
    return [line for line in lines if b"git" in line]


def test_a_git_process_does_not_outlive_the_server(tmp_path: Path) -> None:
    """kill -9 of a process that fetches from a remote that hangs: git ends too, and cannot move a ref later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"git://127.0.0.1:{listener.getsockname()[1]}/x"
        program = (
            "import asyncio, sys\nfrom pathlib import Path\n"
            "from gitops_profile.source import *\n"
            "async def main():\n"
            f"    clone = Clone(parse_address({url!r}), 'main', Path({str(tmp_path / 'clone')!r}), RemoteAccess(), "
            "CloneSettings())\n"
            "    await clone.prepare()\n    await clone.fetch()\n"
            "asyncio.run(main())\n"
        )
        process = subprocess.Popen([sys.executable, "-c", program])
        listener.settimeout(20)
        connection, _ = listener.accept()
        with connection:
            assert any(url.encode() in line for line in _command_lines())
            process.send_signal(signal.SIGKILL)
            process.wait()
            end = time.monotonic() + 10
            while any(url.encode() in line for line in _command_lines()):
                assert time.monotonic() < end, "git is still there"
                time.sleep(0.02)
