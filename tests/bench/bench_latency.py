"""From a moved ref to the NOTIFY, with the real `serve` process on a repository of 10 000 plain files, or of `--files`.

Run it with `python tests/bench/bench_latency.py [--smoke] [--files 100000]`; BENCH_DIR says on which disk. Each round
commits a change to one file on another branch (timed: the base) and moves the served ref with `git update-ref`. The
clock runs from before that command, its own start included, to the datagram. CPU is that of the server and of all its
children. The files are in groups of a thousand: git reads every folder on the way to a changed file, and one folder of
100 000 files costs `git diff-tree` alone 37 ms.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.wire import subscribe
from tests.repositories import ENVIRONMENT, Git

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds until a NOTIFY has failed to come."""


@contextmanager
def serving(repository: Path, state: Path, *options: str, **variables: str) -> Iterator[tuple[int, int]]:
    """The real server, with more options, and settings as variables: its process id and its UDP port."""
    command = [sys.executable, "-m", "gitops_profile", "serve", "--repo", str(repository), "--state", str(state)]
    log = state.with_suffix(".log")
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, "--listen", "udp:127.0.0.1:0", *options],
            stdout=subprocess.PIPE, stderr=errors, cwd=ROOT, text=True,
            env={**ENVIRONMENT, **variables, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise SystemExit(f"the server did not start: {log.read_text()}")
            yield process.pid, int(line.split()[1].rpartition(":")[2])
        finally:
            process.terminate()
            process.communicate()


def processor_seconds(pid: int) -> float:
    """User and system time of a process and of its living children, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(fields[index]) for index in (11, 12, 13, 14))  # utime stime cutime cstime
    children: list[str] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children += (task / "children").read_text().split()
    return ticks / os.sysconf("SC_CLK_TCK") + sum(processor_seconds(int(child)) for child in children)


def notified(sock: socket.socket, content: bytes) -> float:
    """Answer NOTIFYs until one carries `content`; when it came."""
    while True:
        data, server = sock.recvfrom(65535)
        came = time.perf_counter()
        if not data.startswith(b"NOTIFY "):
            continue
        head = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
        lines = [line for line in head if line.startswith((b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:"))]
        sock.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *lines, b"Content-Length: 0\r\n\r\n"]), server)
        if data.endswith(content):
            return came


def content(number: int, version: int) -> bytes:
    return f"<profile user='u{number}' version='{version}'>{'x' * 500}</profile>".encode()


def place(number: int) -> str:
    return f"profiles/user/example.com/g{number // 1000}/u{number}.xml"


def rounds(git: Git, sock: socket.socket, count: int) -> Iterator[tuple[float, float]]:
    """Seconds from the ref to the NOTIFY, and seconds that the commit took."""
    for version in range(1, count + 1):
        git.write({place(0): content(0, version)})
        before = time.perf_counter()
        git("commit", "-q", "-a", "-m", f"version {version}")
        committed = time.perf_counter()
        head = git.head()
        moved = time.perf_counter()
        git("update-ref", "refs/heads/main", head)
        yield notified(sock, content(0, version)) - moved, committed - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few files and commits: does it run at all")
    parser.add_argument("--files", type=int, default=10_000)
    options = parser.parse_args()
    files, commits = (300, 5) if options.smoke else (options.files, 50)
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        git = Git(Path(folder, "repository"))
        git.commit({place(number): content(number, 0) for number in range(files)})
        git("checkout", "-q", "-b", "work")
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        with serving(git.folder, Path(folder, "state")) as (pid, port):
            sock.sendto(subscribe(sock.getsockname()[1], 1, "u0"), ("127.0.0.1", port))
            notified(sock, content(0, 0))
            cpu = processor_seconds(pid)
            figures = list(rounds(git, sock, commits))
            cpu = (processor_seconds(pid) - cpu) / commits
    latencies = sorted(latency for latency, _ in figures)
    middle, base = statistics.median(latencies), statistics.median(commit for _, commit in figures)
    worst = latencies[min(len(latencies) - 1, round(0.99 * len(latencies)))]
    print(
        f"| git update-ref to NOTIFY, {files:,} files, {commits} commits | p50 {middle * 1e3:.1f} ms, "
        f"p99 {worst * 1e3:.1f} ms | {cpu * 1e6:,.0f} µs CPU each "
        f"| {middle / base:.2f} × git commit ({base * 1e3:.1f} ms) |"
    )


if __name__ == "__main__":
    main()
