"""Reading and checking one SUBSCRIBE of 700 bytes, beside the standard library's email parser on the same headers.

Run it with `python tests/bench/bench_parse.py [--smoke]`. The best of several rounds counts: the others were disturbed.
"""

import argparse
import sys
import time
from collections.abc import Callable
from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gitops_profile.sip.syntax import Request, parse_message
from tests.bench.wire import subscribe


def microseconds(work: Callable[[], object], rounds: int, repeats: int) -> float:
    """Processor µs of one call."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(repeats):
            work()
        best = min(best, time.process_time() - started)
    return best / repeats * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few repeats: does it run at all")
    smoke = parser.parse_args().smoke
    data = subscribe(5060, 7, "alice")
    assert len(data) == 700
    _, _, head = data.partition(b"\r\n")
    email = BytesHeaderParser(policy=compat32)

    def ours() -> None:
        message = parse_message(data)
        assert isinstance(message, Request)
        message.check()

    rounds, repeats = (3, 500) if smoke else (15, 5_000)
    mine = microseconds(ours, rounds, repeats)
    base = microseconds(lambda: email.parsebytes(head), rounds, repeats)
    print(
        f"| parse + check, SUBSCRIBE of 700 bytes | {1e6 / mine:,.0f}/s | {mine:.1f} µs CPU each "
        f"| {mine / base:.2f} × email.parser ({base:.1f} µs) |"
    )


if __name__ == "__main__":
    main()
