"""Processes that outlive whoever started them: their CPU, their children, their end. Linux, from /proc."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all that it has started, those that are alive."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    except OSError:  # it has just ended
        return found
    return found


def _fields(pid: int) -> list[str]:
    """What follows the name in /proc/PID/stat; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and waits for its parent does not."""
    fields = _fields(pid)
    return bool(fields) and fields[0] != "Z"


def program(pid: int) -> str:
    """The name of what it runs, such as git; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def parent(pid: int) -> int:
    """Who has started it; 0 when it has ended."""
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def cpu_of(pid: int, *, ended_children: bool = False) -> float:
    """Processor seconds so far, all threads, user and system; of the children that have ended too, if asked."""
    fields = _fields(pid)
    columns = (11, 12, 13, 14) if ended_children else (11, 12)
    return sum(int(fields[column]) for column in columns) / TICK if fields else 0.0


def resident(pid: int) -> int:
    """Bytes of memory that only this process has, and has written (Private_Dirty).

    Not the pages of files that it has mapped: git maps every pack, and the kernel may drop them at any time.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))


def end(pid: int, number: signal.Signals = signal.SIGTERM, patience: float = 20.0) -> None:
    """Send a signal and wait for the end; after `patience` seconds SIGKILL."""
    for wanted in (number, signal.SIGKILL):
        try:
            os.kill(pid, wanted)
        except ProcessLookupError:
            return
        limit = time.monotonic() + patience
        while time.monotonic() < limit:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # another process started it
                if not alive(pid):
                    return
            if not alive(pid):
                return
            time.sleep(0.005)
    raise RuntimeError(f"process {pid} does not end")


def start_until(
    command: Sequence[str], expected: bytes, output: Path, errors: Path, environment: Mapping[str, str], patience: float
) -> tuple[int, str]:
    """Start a process of its own session; its pid and the first line of its output, once that begins as expected.

    Raises RuntimeError, with the end of its errors, when it ends or is silent for `patience` seconds.
    """
    with output.open("wb") as out, errors.open("ab") as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, start_new_session=True
        )
    limit = time.monotonic() + patience
    while time.monotonic() < limit:
        line, newline, _ = output.read_bytes().partition(b"\n")
        if newline and line.startswith(expected):
            return process.pid, line.decode()
        if process.poll() is not None:
            break
        time.sleep(0.002)
    else:
        end(process.pid, signal.SIGKILL)
    raise RuntimeError(f"{' '.join(command)}: not ready: {errors.read_text(errors='replace')[-800:]}")
