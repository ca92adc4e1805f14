"""Append and replay of the event log beside a raw write + fdatasync of the same bytes.

Run it with `python tests/bench/bench_eventlog.py [--smoke]`; BENCH_DIR says on which disk.

Each row: what, events/s, MB/s, and how the time compares with the raw write measured in the same run (1.0 = as fast).
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gitops_profile.eventlog import FileEventLog, NewRecord

BATCH = 10_000
BODY = "x" * 300
REPEATS = 5


def batch_of(count: int) -> list[NewRecord]:
    """Records of the size of a small profile document's event."""
    return [
        NewRecord(
            f"user/example.com/{index}",
            "ProfileAdded",
            1,
            json.dumps({"key": f"user/example.com/{index}", "content_type": "text/xml", "body": BODY}).encode(),
        )
        for index in range(count)
    ]


def raw_write(folder: Path, content: bytes, repeats: int = REPEATS) -> float:
    """Seconds for one write and one fdatasync of such bytes at the end of a file."""
    times = []
    with (folder / "raw").open("ab", buffering=0) as file:
        for _ in range(repeats):
            started = time.perf_counter()
            file.write(content)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times)


async def median(action: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        await action()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


async def measure(folder: Path, batch: int) -> None:
    records = batch_of(batch)
    log = await FileEventLog.open(folder / "log", segment_bytes=16 * 1024 * 1024)
    append = await median(lambda: log.append(records))
    size = sum(path.stat().st_size for path in (folder / "log").glob("*.jsonl")) // REPEATS
    raw = raw_write(folder, os.urandom(size))

    async def replay() -> None:
        count = 0
        async for _ in log.read():
            count += 1
        assert count == log.head

    async def singles() -> None:
        await asyncio.gather(*(log.append([record]) for record in records))

    async def one_by_one() -> None:
        for record in records[:100]:
            await log.append([record])

    print("| event log | events/s | MB/s | raw write+fdatasync = 1 |")
    print("| --- | --- | --- | --- |")

    def row(name: str, count: int, seconds: float, base: float) -> None:
        megabytes = size * count / batch / 1e6
        print(f"| {name} | {count / seconds:,.0f} | {megabytes / seconds:.0f} | {base / seconds:.2f} |")

    row(f"raw write + fdatasync, {size / 1e6:.1f} MB", batch, raw, raw)
    row(f"append, one batch of {batch:,}", batch, append, raw)
    row(f"append, {batch:,} batches of 1 at once", batch, await median(singles), raw)
    base = raw_write(folder, os.urandom(size // batch), repeats=100)
    row("append, one after the other", 100, await median(one_by_one), base * 100)
    row("replay", log.head, await median(replay), raw * log.head / batch)
    await log.close()
    for name, snapshot in (
        ("opening, every record checked", False),
        ("opening with a snapshot (the last segment only)", True),
    ):
        if snapshot:
            log = await FileEventLog.open(folder / "log", segment_bytes=16 * 1024 * 1024)
            await log.save_snapshot(log.head, [b"{}"])
            await log.close()
        started = time.perf_counter()
        log = await FileEventLog.open(folder / "log", segment_bytes=16 * 1024 * 1024)
        row(name, log.head, time.perf_counter() - started, raw * log.head / batch)
        await log.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few records: does it run at all")
    batch = 500 if parser.parse_args().smoke else BATCH
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        asyncio.run(measure(Path(name), batch))


if __name__ == "__main__":
    main()
