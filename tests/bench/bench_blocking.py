"""How long a phone waits for its answer while one commit re-renders every profile, beside a quiet server (I8).

Run it with `python tests/bench/bench_blocking.py [--smoke] [--profiles N]`; BENCH_DIR says on which disk. The real
server, manifests with a template, and fetches (SUBSCRIBE, Expires 0) at a fixed rate, each clocked from the moment it
was due to its answer and to its document: first with nothing going on, then from the moment that the ref moves to a
commit that changes defaults.yaml until a subscriber is told the outcome. More options of `serve` follow after `--`.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_latency import processor_seconds, serving
from tests.bench.bench_load import MANIFEST, TEMPLATE
from tests.bench.handsets import Handsets, Phone
from tests.repositories import Git

DOMAIN = "example.com"
WATCHED, FETCHED = "w", "f"
"""Users: the one whose NOTIFY says that the commit is through, and the one that is fetched."""
PATIENCE = 600.0
"""Seconds until a commit has failed to come through."""


@dataclass
class Waits:
    """Seconds that fetches took."""

    answers: list[float] = field(default_factory=list)
    documents: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    """How much later than due each was sent: what the phone's own process adds."""

    def cells(self) -> str:
        return f"{_spread(self.answers)} | {_spread(self.documents)}"


def _spread(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    p50, p99 = (ordered[round(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    return f"p50 {p50 * 1e3:.1f}, p99 {p99 * 1e3:.1f}, max {ordered[-1] * 1e3:.1f} ms"


async def fetch(handsets: Handsets, phone: Phone, due: float, waits: Waits) -> None:
    status = await handsets.subscribe(phone, expires=0)
    if status != 200:
        raise RuntimeError(f"a fetch was answered {status}")
    waits.answers.append(phone.answered_at - due)
    waits.documents.append(phone.told_at - due)
    handsets.forget(phone)


async def fetching(handsets: Handsets, rate: float, until: asyncio.Event) -> Waits:
    """Fetch at a rate, whatever becomes of those before, until told to stop."""
    waits, begun, number = Waits(), time.perf_counter(), 0
    async with asyncio.TaskGroup() as group:
        while not until.is_set():
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            waits.late.append(time.perf_counter() - due)
            group.create_task(fetch(handsets, Phone(10 + number, FETCHED), due, waits))
            number += 1
    return waits


async def quiet(handsets: Handsets, rate: float, seconds: float) -> Waits:
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, until.set)
    return await fetching(handsets, rate, until)


async def during(handsets: Handsets, rate: float, git: Git, watcher: Phone, commit: str) -> tuple[Waits, float]:
    """The waits from the moment that the ref moves until the watcher is told, and how long that was."""
    until = asyncio.Event()

    def heard(phone: Phone) -> None:
        if phone is watcher:
            until.set()

    handsets.heard = heard
    await asyncio.to_thread(git, "update-ref", "refs/heads/main", commit)
    begun = time.perf_counter()
    async with asyncio.timeout(PATIENCE):
        waits = await fetching(handsets, rate, until)
    return waits, watcher.told_at - begun


def repository(folder: Path, profiles: int) -> tuple[Git, str]:
    """Manifests that all inherit from defaults.yaml, and a commit, on no branch yet, that changes that."""
    git = Git(folder)
    files: dict[str, str | bytes | None] = {
        f"profiles/device/{DOMAIN}/g{n % 50}/{n:012x}.yaml": MANIFEST.format(n=n) for n in range(profiles)
    }
    files |= {f"profiles/user/{DOMAIN}/{user}.yaml": MANIFEST.format(n=user) for user in (WATCHED, FETCHED)}
    files["profiles/templates/p.cfg.j2"] = TEMPLATE + "floor = {{ floor }}\n"
    files["profiles/defaults.yaml"] = "template: p.cfg.j2\nvalues: {floor: 1}\n"
    git.commit(files)
    git("checkout", "-q", "-b", "work")
    changed = git.commit({"profiles/defaults.yaml": "template: p.cfg.j2\nvalues: {floor: 2}\n"})
    return git, changed


async def measure(git: Git, changed: str, port: int, rate: float, seconds: float, pid: int) -> list[str]:
    handsets = await Handsets.open(("127.0.0.1", port), DOMAIN)
    watcher = Phone(1, WATCHED)
    await handsets.subscribe(watcher)
    await quiet(handsets, rate, 0.5)  # both sides have warmed up
    base = await quiet(handsets, rate, seconds)
    cpu = processor_seconds(pid)
    waits, took = await during(handsets, rate, git, watcher, changed)
    cpu = processor_seconds(pid) - cpu
    handsets.close()
    loaded = f"one commit changes all, {took:.1f} s, {cpu:.1f} s CPU"
    own, again = (max(some.late) * 1e3 for some in (base, waits)), handsets.retransmissions
    return [
        f"| {name} | {len(some.answers)} | {some.cells()} | {late:.1f} ms, {sent} sent again |"
        for name, some, late, sent in zip(("nothing going on", loaded), (base, waits), own, (0, again), strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few profiles, short: does it run at all")
    parser.add_argument("--profiles", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=200, help="fetches a second")
    parser.add_argument("--seconds", type=float, default=5, help="of the quiet part")
    parser.add_argument("options", nargs="*", help="after --: further options of gitops-profile serve")
    given = parser.parse_args()
    profiles, seconds = (300, 1.0) if given.smoke else (given.profiles, given.seconds)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        git, changed = repository(Path(folder, "repository"), profiles)
        with serving(git.folder, Path(folder, "state"), *given.options) as (pid, port):
            lines = asyncio.run(measure(git, changed, port, given.rate, seconds, pid))
    print(f"| a fetch, {profiles:,} profiles, {given.rate:g}/s | n | to its answer | to its document | phones' own |")
    print("| --- | --- | --- | --- | --- |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
