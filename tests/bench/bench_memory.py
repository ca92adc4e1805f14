"""What a held subscription costs in memory, and how long a restart with all of them takes.

Run it with `python tests/bench/bench_memory.py [--smoke] [--subscriptions 10000 100000 1000000]`; BENCH_DIR says on
which disk. The real server, its memory as the kernel counts it (private pages, children included), before and after:
phones subscribe over UDP, the time of their transactions passes, the server is killed (-9) and restores them all: it is
ready before, and some of the phones refresh meanwhile. Each count has a server of its own. Options of `serve` come
last, after `--options`.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.handsets import TIMEOUT, Handsets, Phone, subscribe_all
from tests.bench.peer import processes
from tests.bench.peer.harness import DOMAIN
from tests.bench.peer.ours import Run, free_port

USERS = 1000
CHECKED = 200
"""Phones that refresh after the restart, to see that they are still known."""
WARM = 100
"""Subscriptions that come and go before anything is counted."""


@dataclass(frozen=True)
class Row:
    """One count; memory in bytes, times in seconds."""

    count: int
    rate: float
    held: float
    """A subscription, once its transactions are gone."""
    restored: float
    """A subscription after the restart, when all are in memory again."""
    total: int
    """The whole server then."""
    disk: float
    """A subscription, in the state folder."""
    empty: float
    """From the start to ready without subscriptions."""
    ready: float
    """The same with all of them."""
    taken_up: float
    """From the start until all are in memory."""
    cpu: float
    """Of all that."""

    def line(self) -> str:
        return (
            f"| {self.count:,} | {self.rate:,.0f}/s | {self.held:,.0f} B | {self.restored:,.0f} B "
            f"| {self.total / 2**20:,.0f} MiB | {self.disk:,.0f} B | {self.ready:.2f} s ({self.empty:.2f} s empty) "
            f"| {self.taken_up:.1f} s | {self.cpu:.2f} s |"
        )


def memory(run: Run) -> int:
    return sum(processes.resident(pid) for pid in processes.family(run.pid))


def on_disk(run: Run) -> int:
    return sum(path.stat().st_size for path in Path(run.folder, "state").glob("subscriptions*"))


async def subscribed(run: Run, count: int, settle: float) -> tuple[float, float, list[Phone], Handsets]:
    """Subscribe them all: the rate, bytes for each, and some of the phones with their socket."""
    handsets = await Handsets.open(("127.0.0.1", run.port), DOMAIN)
    warm = [Phone(number, f"u{number % USERS}") for number in range(WARM)]
    await subscribe_all(handsets, warm)
    await subscribe_all(handsets, warm, expires=0)
    await asyncio.sleep(min(settle, 2))
    before, begun, kept = memory(run), time.perf_counter(), []
    for first in range(0, count, 10_000):  # or the phones would need more memory than the server
        some = [Phone(number, f"u{number % USERS}") for number in range(first, min(first + 10_000, count))]
        await subscribe_all(handsets, some)
        keep = 1 + CHECKED * len(some) // count
        kept += some[:keep]
        for phone in some[keep:]:
            handsets.forget(phone)
    rate = count / (time.perf_counter() - begun)
    await asyncio.sleep(settle)
    return rate, (memory(run) - before) / count, kept, handsets


def all_taken_up(run: Run) -> None:
    """Wait until nothing of an earlier life is to come; asked once a second, not to be in the way."""
    command = [sys.executable, "-m", "gitops_profile", "status", "-o", "json", "--state", f"{run.folder}/state"]
    environment = {**os.environ, "PYTHONPATH": run.root}
    while True:
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False).stdout
        if json.loads(answer)["taking_up"] == 0:
            return
        time.sleep(1.0)


async def measure(run: Run, count: int, settle: float) -> Row:
    run.start()
    try:
        run.stop()
        run.start()  # the second start finds everything loaded once, as the third will
        empty, alone = run.seconds, memory(run)
        rate, held, kept, handsets = await subscribed(run, count, settle)
        disk = on_disk(run) / count
        run.stop(signal.SIGKILL)
        begun = time.perf_counter()
        run.start()
        await subscribe_all(handsets, kept)  # it raises unless they are still known
        handsets.close()
        all_taken_up(run)
        taken_up = time.perf_counter() - begun
        cpu = sum(processes.cpu_of(pid, ended_children=True) for pid in processes.family(run.pid))
        total = memory(run)
    finally:
        run.stop()
    return Row(count, rate, held, (total - alone) / count, total, disk, empty, run.seconds, taken_up, cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few subscriptions: does it run at all")
    parser.add_argument("--subscriptions", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="last: options of gitops-profile serve")
    given = parser.parse_args()
    counts, settle = ([500], 0.2) if given.smoke else (given.subscriptions, TIMEOUT + 2)
    print(
        "| held | subscribed | memory each | after a restart | server in all | on disk each | ready | all in memory "
        "| its CPU |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for count in counts:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
            run = Run(folder, free_port(), USERS, options=given.options)
            run.prepare((f"u{number}", f"<profile user='u{number}'/>".ljust(1000).encode()) for number in range(USERS))
            print(asyncio.run(measure(run, count, settle)).line(), flush=True)


if __name__ == "__main__":
    main()
