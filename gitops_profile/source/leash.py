"""One git command with a bound on its time and on the files it writes, which does not outlive the server."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import SourceUnavailable

SAID_BYTES = 16384
"""The end of what a command says on standard error, which may be what a remote says."""
MEMORY_BYTES = 4 << 30
"""What a command may allocate: a small pack can hold objects that are large when unpacked."""
GRACE_SECONDS = 3.0
"""From asking a command to end, so that it takes its temporary files away, until it is killed."""

# Before it becomes git. In a process of its own, because what runs between fork and exec in this one could deadlock,
# and would make the fork copy all its page tables. The signal reaches git only: its helpers end when their pipes do,
# and none of them moves a ref.
_LEASH = """
import ctypes, os, resource, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]), int(sys.argv[2])))
os.execvp("git", ["git", *sys.argv[3:]])
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    said: str
    """The end of its standard error."""


async def run_git(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], seconds: float, file_bytes: int
) -> Ended:
    """Run git in `folder`; no file that it writes is longer than `file_bytes`.

    Raises TimeoutError after `seconds`, when it has been killed, and SourceUnavailable when it cannot be started.
    """
    command = [sys.executable, "-I", "-S", "-c", _LEASH, str(file_bytes), str(MEMORY_BYTES), *arguments]
    try:
        # A session of its own: no terminal to ask on, and one group to be killed with all its helpers.
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=dict(environment), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise SourceUnavailable(f"git cannot be started: {error.strerror or error}") from error
    try:
        async with asyncio.timeout(seconds):
            said = await _end_of(process)
            return Ended(await process.wait(), said)
    finally:
        await _end(process)


async def _end_of(process: Process) -> str:
    assert process.stderr is not None
    said = b""
    while data := await process.stderr.read(1 << 16):
        said = (said + data)[-SAID_BYTES:]
    return said.decode("utf-8", "replace")


async def _end(process: Process) -> None:
    """Take it down with its helpers, if it still runs."""
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            pass  # it does not listen
        _signal(process.pid, signal.SIGKILL)  # the helpers too, which may not have heard the first
        await process.wait()
    # The transport is closed with its pipes; without this a later loop would find it open.
    process._transport.close()  # type: ignore[attr-defined]


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return  # all of them have ended
