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
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_core import HEADERS, PARSER, Peers

AT_ONCE = 64
"""Messages to a turn, as in bench_core.py."""


class Counted(Peers):
    """Phones of a notifier whose instructions are counted while `counts`."""

    counts = False

    def timed(self, messages: list[bytes]) -> list[bytes]:
        sent: list[bytes] = []
        for start in range(0, len(messages), AT_ONCE):
            if self.counts:
                _instrument("on")
            for message in messages[start : start + AT_ONCE]:
                self.notifier.receive(message, self.flow, now=self.now)
            out = self.pump()
            if self.counts:
                _instrument("off")
            sent += out
            self.now += 0.003
        return sent


def _instrument(what: str) -> None:
    subprocess.run(["callgrind_control", "-i", what, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


def _fetches(peers: Counted, mark: bytes) -> list[bytes]:
    changes = (b"Expires: 3600", b"Expires: 0"), (b"=z9hG4bK", b"=z9hG4bK" + mark), (b"Call-ID: ", b"Call-ID: " + mark)
    made = []
    for request in peers.requests:
        for old, new in changes:
            request = request.replace(old, new)
        made.append(request)
    return made


def _of(name: str, peers: Counted) -> Callable[[], list[bytes]]:
    """What is to be exchanged; whatever must be there before is there then, and everything was done once."""
    if name == "fetch":
        peers.exchange(_fetches(peers, b"a"))
        return lambda: _fetches(peers, b"b")
    if name == "subscribe":
        return lambda: peers.requests
    peers.exchange(peers.requests)
    peers.exchange(peers.refreshes(2))
    return lambda: peers.refreshes(3, expires=3600 if name == "refresh" else 0)


def count(name: str, operations: int) -> None:
    """Under valgrind: have them counted."""
    if name == "base":
        PARSER.parsebytes(HEADERS).items()
        gc.disable()
        _instrument("on")
        for _ in range(operations):
            PARSER.parsebytes(HEADERS).items()
        _instrument("off")
        return
    peers = Counted(operations, operations)
    messages = _of(name, peers)()
    gc.freeze()
    gc.disable()
    peers.counts = True
    peers.exchange(messages)


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
    names = ["subscribe", "refresh", "unsubscribe", "fetch"]
    parser.add_argument("names", nargs="*", choices=[*names, []], metavar="NAME", help="default: all four")
    parser.add_argument("--operations", type=int, default=192, help="of each kind")
    parser.add_argument("--count", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.count is not None:
        count(given.count, given.operations)
        return
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed: apt-get install valgrind")
    base = measure("base", given.operations)
    for name in given.names or names:
        found = measure(name, given.operations)
        print(f"| {name} | {found:,} instructions | {found / base:.2f} × email.parser |", flush=True)


if __name__ == "__main__":
    main()
