"""`demo`: a scratch copy of the sample repository, a server, a subscriber and two desk phones; commits, and reverts."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import typer

from gitops_profile.phone import Phone, PhoneError, Received, SubscriberSettings, open_phone

from .demo_phones import LOOPBACK, DeskPhone, desk_phones
from .output import PROBLEM, fail, say
from .sample import sample_folder

ALICE = "alice@example.com"
CHANGED = "user/example.com/alice.yaml"
DESK = {
    "snom": ("000413d4e5f6", "127.0.0.11", "device/example.com/branch/000413d4e5f6.yaml"),
    "yealink": ("001565e7f801", "127.0.0.12", "device/example.com/branch/001565e7f801.yaml"),
}
"""Make: MAC, address, manifest."""
WAIT = 20.0
"""Seconds until a step of the demo has failed."""


class DemoFailed(Exception):
    """A step did not happen; the message says which."""


def demo() -> None:
    """Commit changes to a scratch copy of the sample profiles, watch each reach the one phone it concerns, revert it.

    A subscriber (RFC 6080) is told by NOTIFY; two desk phones ask by plug and play, fetch, and are told by check-sync.
    """
    if shutil.which("git") is None:
        fail("the demo needs git; install it (apt-get install git)")
    sample = sample_folder()
    if sample is None:
        fail("the sample profiles are not installed; install gitops-profile again")
    try:
        with tempfile.TemporaryDirectory(prefix="gitops-profile-demo-") as scratch:
            asyncio.run(_demo(sample, Path(scratch)))
    except (DemoFailed, PhoneError) as error:
        fail(str(error), PROBLEM)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(130) from None


async def _demo(sample: Path, scratch: Path) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    repository = scratch / "repository"
    shutil.copytree(sample, repository / "profiles")
    await _git(repository, "init", "-q", "-b", "main")
    await _commit(repository, "The sample profiles")
    say(f"1. a git repository with the sample profiles: {repository}")
    async with AsyncExitStack() as stack:
        server, port = await stack.enter_async_context(_server(repository, scratch / "state"))
        say(f"2. a server, process {server.pid}, on 127.0.0.1:{port}: gitops-profile serve --repo {repository}")
        alice = await stack.enter_async_context(
            open_phone(SubscriberSettings(f"sip:{ALICE}", 600), ("127.0.0.1", port))
        )
        await alice.subscribe()
        received = await _document(alice, ALICE)
        say(f"   {ALICE} subscribed and has its profile ({len(received.body)} bytes, etag {received.etag})")
        desk = [DeskPhone(make, mac, address) for make, (mac, address, _) in DESK.items()]
        await stack.enter_async_context(desk_phones(*desk))
        for phone in desk:
            await _booted(phone)
        snom, yealink = desk
        say("3. a commit changes one value of one user:")
        await _edit(repository, CHANGED, "Alice", "Alice (desk 7)")
        await _told(repository, alice, desk, ["commit", "-q", "-a", "-m", "Alice moves to desk 7"], "the commit")
        say("4. git revert takes it back:")
        await _told(repository, alice, desk, ["revert", "--no-edit", "HEAD"], "the revert")
        say(f"5. a commit changes one value of the {snom.vendor} phone:")
        await _edit(repository, DESK[snom.vendor][2], "Bob & Sons", "Bob & Daughters")
        await _fetched(repository, snom, [yealink], alice, ["commit", "-q", "-a", "-m", "A new name"], "the commit")
        say("6. git revert takes it back:")
        await _fetched(repository, snom, [yealink], alice, ["revert", "--no-edit", "HEAD"], "the revert")
        say("done: each commit and its revert reached the one phone they concern, and no other")


async def _booted(phone: DeskPhone) -> None:
    try:
        steps = await phone.until("ready")
    except TimeoutError:
        raise DemoFailed(f"the {phone.vendor} phone found no file within {WAIT:g} s") from None
    url = next((step.detail for step in steps if step.kind == "url"), "")
    got = [step for step in steps if step.kind == "fetched" and step.status == 200]
    if not got:
        raise DemoFailed(f"the {phone.vendor} phone was given no file: {steps[-1].detail}")
    say(f"   {phone.vendor} {phone.mac} asked by plug and play, was told {url}")
    say(f"   and fetched {got[-1].detail.rpartition('/')[2]} ({len(got[-1].body)} bytes, etag {got[-1].etag})")


async def _edit(repository: Path, path: str, old: str, new: str) -> None:
    manifest = repository / "profiles" / path
    text = manifest.read_text()
    if old not in text:
        raise DemoFailed(f"the sample {path} has no {old!r} to change")
    manifest.write_text(text.replace(old, new))
    for line in (await _git(repository, "diff", "-U0", "--no-color")).splitlines()[4:]:
        say(f"   | {line}")


async def _told(repository: Path, alice: Phone, others: list[DeskPhone], command: list[str], what: str) -> None:
    """Run git, wait for the one NOTIFY, and see that nobody else was told."""
    await _git(repository, *command)
    received = await _document(alice, ALICE)
    milliseconds = 1000 * (time.time() - _moved_at(repository))
    say(f"   NOTIFY to {ALICE} {milliseconds:.1f} ms after {what}: {len(received.body)} bytes, etag {received.etag}")
    _are_quiet(others)


async def _fetched(
    repository: Path, phone: DeskPhone, others: list[DeskPhone], alice: Phone, command: list[str], what: str
) -> None:
    """Run git, wait until the phone was told and has fetched, and see that nobody else was told."""
    await _git(repository, *command)
    start = _moved_at(repository)
    try:
        told = (await phone.until("told"))[-1]
        steps = await phone.until("ready")
    except TimeoutError:
        raise DemoFailed(f"no check-sync reached the {phone.vendor} phone within {WAIT:g} s") from None
    got = [step for step in steps if step.kind == "fetched" and step.status == 200][-1]
    say(f"   NOTIFY {told.detail} {1000 * (told.at - start):.1f} ms after {what}; fetched {len(got.body)} bytes,")
    say(f"   etag {got.etag}, after {1000 * (got.at - start):.1f} ms")
    _are_quiet(others)
    if not alice.is_quiet:
        raise DemoFailed(f"{ALICE} was told of a change that does not concern it")


def _moved_at(repository: Path) -> float:
    """When git moved the branch, in Unix seconds: a phone may have been told before git's process has ended."""
    return (repository / ".git/refs/heads/main").stat().st_mtime


def _are_quiet(phones: list[DeskPhone]) -> None:
    for phone in phones:
        if not phone.steps.empty():
            raise DemoFailed(f"the {phone.vendor} phone was told of a change that does not concern it")


async def _document(phone: Phone, aor: str) -> Received:
    try:
        async with asyncio.timeout(WAIT):
            while True:
                received = await phone.next()
                if received.kind == "document":
                    return received
                if received.kind == "refused":
                    raise DemoFailed(f"the server refused {aor}: {received.detail}")
    except TimeoutError:
        raise DemoFailed(f"no NOTIFY reached {aor} within {WAIT:g} s") from None


@asynccontextmanager
async def _server(repository: Path, state: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The real server, on a free port, stopped at the end."""
    command = [sys.executable, "-m", "gitops_profile", "serve", "--repo", str(repository), "--state", str(state)]
    command += ["--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0", "--config", str(_settings(state))]
    log = state.with_name("server.log")
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=errors)
        try:
            assert process.stdout is not None
            try:
                async with asyncio.timeout(WAIT):
                    line = (await process.stdout.readline()).decode()
            except TimeoutError:
                line = ""
            if not line.startswith("ready "):
                last = log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise DemoFailed(f"the server did not start: {last}")
            yield process, int(line.split()[1].rpartition(":")[2])
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _settings(state: Path) -> Path:
    """Desk phones ask on the loopback interface, and are told a second after the last change instead of a minute.

    At once would be before a phone that boots has fetched its file, on a busy machine: it would fetch for nothing.
    """
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    file = state.with_name("gitops-profile.yaml")
    file.write_text(
        f"http: {{listen: '127.0.0.1:{port}', public_url: 'http://127.0.0.1:{port}/'}}\n"
        f"pnp: {{interfaces: [{LOOPBACK}]}}\npush: {{settle: 1, spread: 0}}\n"
    )
    return file


async def _commit(repository: Path, message: str) -> None:
    await _git(repository, "add", "-A")
    await _git(repository, "commit", "-q", "-m", message)


async def _git(folder: Path, *arguments: str) -> str:
    """Run git as a person would, whoever that is on this machine."""
    person = {"GIT_AUTHOR_NAME": "Demo", "GIT_AUTHOR_EMAIL": "demo@example.com"}
    person |= {"GIT_COMMITTER_NAME": "Demo", "GIT_COMMITTER_EMAIL": "demo@example.com"}
    command = [
        "env",
        "-u",
        "GIT_DIR",
        "-u",
        "GIT_WORK_TREE",
        "-u",
        "GIT_INDEX_FILE",
        *(f"{k}={v}" for k, v in person.items()),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, "git", "-c", "commit.gpgsign=false", *arguments, cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    if process.returncode != 0:
        raise DemoFailed(f"git {arguments[0]} failed: {os.fsdecode(errors).strip()}")
    return os.fsdecode(out)
