"""The subscription store beside plain executemany into the same table, while the loop is idle and while it is busy.

Run it with `python tests/bench/bench_subscriptions.py [--smoke]`; BENCH_DIR says on which disk. Both sides commit the
same 200 rows at a time with synchronous=FULL; the store gets them as 200 submissions of one loop turn. "Busy" is an
event loop that computes without pause, as under a SUBSCRIBE storm: plain executemany, in a thread, then fights for the
interpreter, and the store, whose writer is a process, does not.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gitops_profile.sip import StoredSubscription
from gitops_profile.subscriptions import SubscriptionStore, database
from gitops_profile.subscriptions.numbers import Numbers
from gitops_profile.subscriptions.schema import COLUMNS, row_of
from tests.subscriptions.rows import ALICE

ROWS_PER_TURN = 200

EXAMPLE = ALICE._replace(route_set=(), secure=False, event="ua-profile")


def turns(rows: int) -> Iterator[list[StoredSubscription]]:
    for first in range(0, rows, ROWS_PER_TURN):
        yield [EXAMPLE._replace(id=f"{number * 7919 % rows:08x}") for number in range(first, first + ROWS_PER_TURN)]


@contextmanager
def other_thread_busy(wanted: bool) -> Iterator[None]:
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=spin)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if wanted:
            thread.join()


def executemany_seconds(path: Path, rows: int) -> float:
    insert = f"INSERT OR REPLACE INTO subscription VALUES (?,{','.join('?' * len(COLUMNS))})"
    numbers = Numbers()
    with closing(database.connect(path)) as connection:
        started = time.perf_counter()
        for turn in turns(rows):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert, [row_of(row, numbers.of(row.id)) for row in turn])
            connection.execute("COMMIT")
        return time.perf_counter() - started


async def store_seconds(path: Path, rows: int) -> float:
    store = SubscriptionStore.open(path)
    store.start(asyncio.get_running_loop())
    started = time.perf_counter()
    for turn in turns(rows):
        answer: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        for row in turn[:-1]:
            store.submit([row], [], _raise)
        store.submit(turn[-1:], [], answer.set_result)
        _raise(await answer)
    seconds = time.perf_counter() - started
    store.close()
    return seconds


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few rows: does it run at all")
    smoke = parser.parse_args().smoke
    print("| subscriptions, synced every 200 | store, rows/s | plain executemany, rows/s | ratio |")
    print("|---|---|---|---|")
    for busy, rows in ((False, 2_000 if smoke else 100_000), (True, 400 if smoke else 10_000)):
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder, other_thread_busy(busy):
            store = rows / asyncio.run(store_seconds(Path(folder, "store", "s.sqlite"), rows))
            plain = rows / executemany_seconds(Path(folder, "plain.sqlite"), rows)
        print(f"| {'busy' if busy else 'idle'} loop | {store:,.0f} | {plain:,.0f} | {store / plain:.2f} |")


if __name__ == "__main__":
    main()
