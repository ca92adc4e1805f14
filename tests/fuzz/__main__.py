"""`python -m tests.fuzz --seconds 600 [--seed 1] [--target uri]`: every target in turn, until the time is over.

What fails is printed with its seed, its target and its input; `--seed` and `--target` with `--rounds 1` make it again.
"""

import argparse
import sys
import time
import traceback
from random import Random

from .targets import TARGETS, Target

SLICE = 0.5
"""Seconds of one target before the next one's turn."""


def fails(target: Target, seed: int) -> bool:
    """Run one input; print what is wrong with it."""
    value = target.generate(Random(seed))
    try:
        target.check(value)
    except Exception:
        print(f"--- target {target.name}, seed {seed}: {value!r:.2000}", file=sys.stderr)
        traceback.print_exc(limit=-4)
        return True
    return False


def main() -> int:
    """The number of failures, at most ten of each target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9 * 10**9, help="of the first input")
    parser.add_argument("--target", action="append", choices=[target.name for target in TARGETS])
    parser.add_argument("--rounds", type=int, help="inputs for each target, instead of a time")
    options = parser.parse_args()
    chosen = [target for target in TARGETS if not options.target or target.name in options.target]
    done = dict.fromkeys((target.name for target in chosen), 0)
    failed = dict.fromkeys(done, 0)
    end = time.monotonic() + options.seconds
    while time.monotonic() < end and chosen:
        for target in list(chosen):
            turn = time.monotonic() + SLICE
            while time.monotonic() < turn and done[target.name] != options.rounds and failed[target.name] < 10:
                failed[target.name] += fails(target, options.seed + done[target.name])
                done[target.name] += 1
            if failed[target.name] >= 10 or done[target.name] == options.rounds:
                chosen.remove(target)
    for name, count in done.items():
        print(f"{name:12} {count:9} inputs, {failed[name]} failed")
    return min(sum(failed.values()), 1)


if __name__ == "__main__":
    sys.exit(main())
