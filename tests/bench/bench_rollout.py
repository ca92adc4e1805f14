"""Commits to a repository of 10 000 manifests with a subscriber each, with the real `serve` process.

Run it with `python tests/bench/bench_rollout.py [--smoke]`; BENCH_DIR says on which disk. First a commit to one
manifest, many times over: from `git update-ref`, its own start included, to the NOTIFY. Then one commit to
`defaults.yaml` that changes every document: to the first NOTIFY and to the last one answered. The base is a load of
the same repository by `gitops-profile check` in the same run. CPU is that of the server and of all its children.
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
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_latency import PATIENCE, ROOT, notified, processor_seconds, serving
from tests.bench.bench_load import MANIFEST, TEMPLATE
from tests.bench.wire import Phones, running, subscribe
from tests.repositories import ENVIRONMENT, Git

WATCHED = "watched"
"""A profile more, the one that the commits to one file change: its phone is this process."""


def repository(folder: Path, count: int) -> Git:
    git = Git(folder)
    files: dict[str, str | bytes | None] = {
        f"profiles/user/example.com/g{n % 50}/u{n}.yaml": MANIFEST.format(n=n) for n in range(count)
    }
    files["profiles/templates/p.cfg.j2"] = TEMPLATE + "ring = {{ ring }}\n"
    files["profiles/defaults.yaml"] = defaults(0)
    files[f"profiles/user/example.com/{WATCHED}.yaml"] = watched(0)
    git.commit(files)
    git("checkout", "-q", "-b", "work")
    return git


def defaults(ring: int) -> str:
    return f"template: p.cfg.j2\ncontent_type: application/octet-stream\nvalues: {{ring: {ring}}}\n"


def watched(version: int) -> str:
    return f"body: version {version}\n"


def move(git: Git) -> float:
    """Let the server have what was committed; when that began."""
    head = git.head()
    begin = time.perf_counter()
    git("update-ref", "refs/heads/main", head)
    return begin


def single(git: Git, sock: socket.socket, commits: int) -> Iterator[float]:
    """Seconds from the ref to the NOTIFY of each commit to one manifest."""
    for version in range(1, commits + 1):
        git.commit({f"profiles/user/example.com/{WATCHED}.yaml": watched(version)})
        begin = move(git)
        yield notified(sock, f"version {version}".encode()) - begin


def everyone(git: Git, pipe: Connection) -> tuple[float, float]:
    """Seconds from the ref to the first NOTIFY and to the last answer, of a commit that changes every document."""
    git.commit({"profiles/defaults.yaml": defaults(30)})
    begin = move(git)
    times = []
    for word in ("first", "done"):
        if not pipe.poll(PATIENCE) or pipe.recv() != word:
            raise SystemExit(f"the phones never said {word}")
        times.append(time.perf_counter() - begin)
    return times[0], times[1]


def whole_load(git: Git) -> float:
    """Seconds of `check` for all of it, the start of its process included."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "gitops_profile", "check", "--repo", str(git.folder)]
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few profiles and commits: does it run at all")
    count, commits = (200, 5) if parser.parse_args().smoke else (10_000, 100)
    limits = {"GITOPS_PROFILE_LIMITS__SUBSCRIPTIONS_PER_SOURCE": str(10 * count)}
    phones = Phones(count, count, further=count, tell_first=True)
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder,
        running(phones) as (pipe, _),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        git = repository(Path(folder, "repository"), count)
        base = whole_load(git)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        with serving(git.folder, Path(folder, "state"), **limits) as (pid, port):
            pipe.send(port)
            if not pipe.poll(PATIENCE) or pipe.recv() != "subscribed":
                raise SystemExit("the phones could not subscribe")
            sock.sendto(subscribe(sock.getsockname()[1], 1 << 40, WATCHED), ("127.0.0.1", port))
            notified(sock, b"version 0")
            latencies = sorted(single(git, sock, commits))
            cpu = processor_seconds(pid)
            first, last = everyone(git, pipe)
            cpu = processor_seconds(pid) - cpu
    worst = latencies[min(len(latencies) - 1, round(0.99 * len(latencies)))]
    print(
        f"| one manifest of {count:,}, {commits} commits | to the NOTIFY p50 {statistics.median(latencies) * 1e3:.1f} "
        f"ms, p99 {worst * 1e3:.1f} ms | {statistics.median(latencies) / base:.3f} × check of all ({base:.1f} s) |"
    )
    print(
        f"| defaults.yaml, all {count:,} change | first NOTIFY {first:.2f} s, last answered {last:.2f} s | "
        f"{cpu / count * 1e6:,.0f} µs CPU each | {last / base:.2f} × check of all ({base:.1f} s) |"
    )


if __name__ == "__main__":
    main()
