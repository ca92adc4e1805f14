"""From a moved ref to the keys that the notifier is given, without phones: git, loader process, log, table.

Run it with `python tests/bench/bench_reconcile.py [--smoke] [--profiles 100000] [--changed 10000]`; BENCH_DIR says on
which disk. For plain documents of 1 kB and for manifests with a template it prints: a cold load of everything, a commit
that changes some, a commit that changes all, and a restart from the log without and with its snapshot.

Each row: seconds; how many times that of `git cat-file --batch` reading the same blobs in the same run; processor
seconds of the process that serves SIP, and of the loader process with its git. While it goes on, a coroutine in the
same loop wakes up every millisecond: `held` is how much later it woke than it wanted to, the longest time and the 99th
percentile in ms, and the most processor time that the loop's thread used meanwhile (invariant I8).
"""

import argparse
import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gitops_profile.eventlog import FileEventLog
from gitops_profile.presentity import ProfileKey
from gitops_profile.reconcile import Journal, LoaderProcess, Reconciler, Verdict, replay
from gitops_profile.source import Repository
from tests.bench.bench_latency import processor_seconds
from tests.bench.bench_load import MANIFEST, TEMPLATE
from tests.repositories import Git

TICK = 0.001
SNAPSHOT = "snapshot"
ROW = "| {:<44} | {:7.3f} s | {:7.2f} × | {:6.2f} s | {:6.2f} s | {:6.1f} / {:5.1f} / {:5.1f} ms |"


def plain(number: int, version: int) -> tuple[str, str]:
    keys = ((line, (number * 7919 + line * 104729) % (1 << 32)) for line in range(30))
    lines = "".join(f"  <line n='{line}' key='{key:08x}'/>\n" for line, key in keys)
    body = f"<profile user='u{number}' version='{version}'>\n{lines}</profile>\n"
    return f"profiles/user/example.com/g{number % 50}/u{number}.xml", body


def manifest(number: int, version: int) -> tuple[str, str]:
    return f"profiles/device/example.com/g{number % 50}/{number:012x}.yaml", MANIFEST.format(n=f"{number}v{version}")


def commit_files(git: Git, files: Iterator[tuple[str, str]]) -> str:
    """One commit on main with these files more; the commit id. `git add` of 100 000 files would take a minute."""
    script = bytearray(b"commit refs/heads/main\ncommitter Carl <carl@example.com> 1735689600 +0000\ndata 6\nchange\n")
    if subprocess.run(["git", "rev-parse", "-q", "--verify", "main"], cwd=git.folder, capture_output=True).stdout:
        script += b"from refs/heads/main^0\n"
    for path, content in files:
        data = content.encode()
        script += b"M 100644 inline %b\ndata %d\n%b\n" % (path.encode(), len(data), data)
    git.feed("fast-import", "--quiet", "--force", given=bytes(script))
    return git("rev-parse", "main")


def blobs(git: Git, commit: str, before: str | None) -> bytes:
    """The ids of the blobs of a commit, or of those that it changed, as `cat-file` wants them."""
    what = ("ls-tree", "-r", commit) if before is None else ("diff-tree", "-r", before, commit)
    return "".join(f"{line.split()[2 if before is None else 3]}\n" for line in git(*what).splitlines()).encode()


def reading(git: Git, ids: bytes) -> float:
    """Seconds of `git cat-file --batch` for these blobs, its start included."""
    begin = time.perf_counter()
    subprocess.run(["git", "cat-file", "--batch"], cwd=git.folder, input=ids, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


@dataclass
class Held:
    """How the loop was kept from its turns, in seconds."""

    late: list[float] = field(default_factory=list)
    busy: float = 0.0

    async def tick(self) -> None:
        while True:
            wanted, used = time.perf_counter() + TICK, time.thread_time()
            await asyncio.sleep(TICK)
            self.late.append(time.perf_counter() - wanted)
            self.busy = max(self.busy, time.thread_time() - used)

    def milliseconds(self) -> tuple[float, float, float]:
        late = sorted(self.late) or [0.0]
        return late[-1] * 1e3, late[int(0.99 * (len(late) - 1))] * 1e3, self.busy * 1e3


@asynccontextmanager
async def row(name: str, base: float) -> AsyncIterator[None]:
    """Measure what is done inside, and print it."""
    held = Held()
    ticking = asyncio.create_task(held.tick())
    await asyncio.sleep(0.02)
    wall, cpu, both = time.perf_counter(), time.process_time(), processor_seconds(os.getpid())
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    others = max(0.0, processor_seconds(os.getpid()) - both - cpu)
    await asyncio.sleep(0.02)  # the last thing that was done may have held the loop, too
    ticking.cancel()
    print(ROW.format(name, wall, wall / base, cpu, others, *held.milliseconds()), flush=True)


def memory() -> float:
    """Resident MB of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


class Bench:
    """One repository, and the server's half of what is made of it."""

    def __init__(self, git: Git, state: Path) -> None:
        self.git = git
        self.state = state
        self.repository = Repository(git.folder)
        self.loading = LoaderProcess(git.folder)
        self.told = 0

    async def open(self) -> None:
        self.log = await FileEventLog.open(self.state)
        self.journal: Journal = await replay(self.log)

        async def is_ancestor(old: str, new: str) -> bool:
            return await asyncio.to_thread(self.repository.is_ancestor, old, new)

        self.reconciler = Reconciler(
            self.journal, self.loading, ref="main", path="profiles", on_changed=self._changed, is_ancestor=is_ancestor
        )

    def _changed(self, keys: Sequence[ProfileKey]) -> None:
        self.told = len(keys)

    async def apply(self, commit: str, count: int) -> None:
        outcome = await self.reconciler.reconcile(self.repository.revision(commit))
        if outcome.verdict is not Verdict.APPLIED or self.told != count:
            raise SystemExit(f"{outcome.verdict} with {self.told} keys: {outcome.problems[:3]} {outcome.reason}")

    async def close(self) -> None:
        await self.loading.close()
        self.repository.close()
        await self.log.close()


async def measure(name: str, git: Git, state: Path, commits: Sequence[tuple[str, str, int]]) -> None:
    """`commits` are what is done in each, the commit, and how many documents it changes."""
    bench = Bench(git, state)
    await bench.open()
    before, empty, whole = None, memory(), 1.0
    for what, commit, count in commits:
        base = reading(git, blobs(git, commit, before))
        async with row(f"{name}: {what}", base):
            await bench.apply(commit, count)
        if before is None:
            print(f"{name}: the table takes {(memory() - empty) / count * 1e3:.2f} kB for each document")
            whole = base
        before = commit
    await bench.close()
    async with row(f"{name}: restart, log of {bench.journal.position:,} records", whole):
        await bench.open()
    async with row(f"{name}: its snapshot", whole):
        bench.journal._snapshot_at = -1_000_000
        await bench.journal.save_snapshot()
    await bench.close()
    del bench.journal, bench.reconciler
    async with row(f"{name}: restart with the snapshot", whole):
        await bench.open()
    await bench.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few profiles: does it run at all")
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--changed", type=int, default=10_000, help="profiles that the second commit changes")
    parser.add_argument("--kind", choices=("plain", "manifests"), help="only these")
    options = parser.parse_args()
    count, some = (300, 50) if options.smoke else (options.profiles, options.changed)
    print("| what | time | git cat-file = 1 | CPU serving | CPU loading | held: longest / p99 / longest CPU |")
    for kind, make in (("plain", plain), ("manifests", manifest)):
        if options.kind not in (None, kind):
            continue
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
            git = Git(Path(folder, "repository"), bare=True)
            defaults = ("profiles/device/example.com/defaults.yaml", "template: p.cfg.j2\n")
            shared = [("profiles/templates/p.cfg.j2", TEMPLATE), defaults]
            first = commit_files(git, iter([*shared, *(make(n, 0) for n in range(count))]))
            second = commit_files(git, (make(n, 1) for n in range(some)))
            third = commit_files(git, (make(n, 2) for n in range(count)))
            commits = [
                ("cold load", first, count),
                (f"{some:,} changed", second, some),
                (f"{count:,} changed", third, count),
            ]
            asyncio.run(measure(f"{count:,} {kind}", git, Path(folder, "state"), commits))


if __name__ == "__main__":
    main()
