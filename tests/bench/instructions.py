"""The notifier alone, in instructions: callgrind counts them, the same to 0.01 % whatever else the machine does.

    python tests/bench/instructions.py [subscribe | refresh | unsubscribe | fetch …] [--operations N]

A base is counted with them: `email.parser` reading the same SUBSCRIBE once. Needs valgrind. What it says of two
versions is sure where a clock says nothing; it cannot see memory that is in no cache, nor what the kernel takes.
"""

import argparse
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_core import HEADERS, PARSER, Peers, fetch, initial, refresh, unsubscribe

OPERATIONS = {
    "subscribe": [initial],
    "refresh": [initial, refresh],
    "unsubscribe": [initial, unsubscribe],
    "fetch": [fetch],
}
"""What is counted, the last, and what must be there before."""


class Counted(Peers):
    """Phones of a notifier whose instructions are counted while `counts`."""

    counts = False

    def turn(self, messages: list[bytes]) -> list[bytes]:
        if not self.counts:
            return self.handled(messages)
        _instrument("on")
        sent = self.handled(messages)
        _instrument("off")
        return sent


def _instrument(what: str) -> None:
    subprocess.run(["callgrind_control", "-i", what, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


def count(name: str, operations: int) -> None:
    """Under valgrind: have them counted, the second time that everything is done."""
    if name == "base":
        PARSER.parsebytes(HEADERS).items()
        gc.disable()
        _instrument("on")
        for _ in range(operations):
            PARSER.parsebytes(HEADERS).items()
        _instrument("off")
        return
    *before, operation = OPERATIONS[name]
    for counts in (False, True):
        peers = Counted(operations, operations)
        for step in before:
            step(peers)
        gc.freeze()
        gc.disable()
        peers.counts = counts
        operation(peers)


def measure(name: str, operations: int) -> int:
    """Instructions for one operation."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}", sys.executable]
        subprocess.run(
            [*command, __file__, "--count", name, "--operations", str(operations)], check=True, capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        found = re.search(r"^totals: ([0-9]+)", out.read_text(), re.MULTILINE)
        assert found is not None, "callgrind counted nothing"
        return int(found[1]) // operations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*OPERATIONS, []], metavar="NAME", help="default: all four")
    parser.add_argument("--operations", type=int, default=192, help="of each kind")
    parser.add_argument("--count", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.count is not None:
        count(given.count, given.operations)
        return
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed: apt-get install valgrind")
    base = measure("base", given.operations)
    for name in given.names or OPERATIONS:
        found = measure(name, given.operations)
        print(f"| {name} | {found:,} instructions | {found / base:.2f} × email.parser |", flush=True)


if __name__ == "__main__":
    main()
