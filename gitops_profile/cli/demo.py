"""`demo`: a scratch copy of the sample repository, a server, a few phones; a commit, and its revert."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import typer

from gitops_profile.phone import Phone, PhoneError, Received, SubscriberSettings, open_phone

from .output import PROBLEM, fail, say
from .sample import sample_folder

PHONES = ("alice@example.com", "bob@example.com", "carol@example.net")
CHANGED = "user/example.com/alice.yaml"
WAIT = 20.0
"""Seconds until a step of the demo has failed."""


class DemoFailed(Exception):
    """A step did not happen; the message says which."""


def demo() -> None:
    """Commit a change to a scratch copy of the sample profiles, watch it reach a subscribed phone, revert it."""
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
        phones: dict[str, Phone] = {}
        for aor in PHONES:
            settings = SubscriberSettings(f"sip:{aor}", expires=600)
            phones[aor] = await stack.enter_async_context(open_phone(settings, ("127.0.0.1", port)))
            await phones[aor].subscribe()
            received = await _document(phones[aor], aor)
            say(f"   phone {aor} subscribed and has its profile ({len(received.body)} bytes, etag {received.etag})")
        await _change(repository, phones)


async def _change(repository: Path, phones: dict[str, Phone]) -> None:
    alice = PHONES[0]
    manifest = repository / "profiles" / CHANGED
    text = manifest.read_text()
    manifest.write_text(text.replace("Alice", "Alice (desk 7)"))
    if manifest.read_text() == text:
        raise DemoFailed(f"the sample {CHANGED} has no display name to change")
    say("3. a commit changes one value of one user:")
    for line in (await _git(repository, "diff", "-U0", "--no-color")).splitlines()[4:]:
        say(f"   | {line}")
    await _told(repository, phones, alice, ["commit", "-q", "-a", "-m", "Alice moves to desk 7"], "the commit")
    say("4. git revert takes it back:")
    await _told(repository, phones, alice, ["revert", "--no-edit", "HEAD"], "the revert")
    say("done: the commit and its revert reached the one phone they concern, and no other")


async def _told(repository: Path, phones: dict[str, Phone], whom: str, command: list[str], what: str) -> None:
    """Run git, wait for the one NOTIFY, and see that nobody else got one."""
    await _git(repository, *command)
    start = time.monotonic()
    received = await _document(phones[whom], whom)
    milliseconds = 1000 * (time.monotonic() - start)
    say(f"   NOTIFY to {whom} {milliseconds:.1f} ms after {what}: {len(received.body)} bytes, etag {received.etag}")
    for aor, phone in phones.items():
        if aor != whom and not phone.is_quiet:
            raise DemoFailed(f"{aor} was told of a change that does not concern it")


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
    command += ["--listen", "udp:127.0.0.1:0", "--listen", "tcp:127.0.0.1:0"]
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
