"""`python -m tests.interop [--json] [WORD …]`: the matrix of stack × authentication × transport, as it is here and now.

WORDs choose the rows and columns that contain one of them. Exit status 1: a cell that should work does not.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from .matrix import Cell, cells, run
from .stacks import TRANSPORTS

AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a cell."""

    row: str
    transport: str
    result: str
    """ok, FAILED, missing (a program is not installed) or `-` (cannot be)."""
    seconds: float = 0.0
    why: str = ""

    @property
    def short(self) -> str:
        return f"ok {self.seconds:.1f}s" if self.result == "ok" else self.result


def try_out(cell: Cell, folder: Path) -> Outcome:
    """Run one cell, if it can be run."""
    if reason := cell.impossible():
        return Outcome(cell.row, cell.transport, "-", why=reason)
    if reason := cell.missing():
        return Outcome(cell.row, cell.transport, "missing", why=reason)
    begin = time.monotonic()
    try:
        run(cell, folder)
    except Exception as error:  # whatever it is, it is this cell's outcome, and the others go on
        return Outcome(cell.row, cell.transport, "FAILED", time.monotonic() - begin, f"{type(error).__name__}: {error}")
    return Outcome(cell.row, cell.transport, "ok", time.monotonic() - begin)


def table(outcomes: list[Outcome]) -> str:
    """The matrix, and below it why a cell is not ok."""
    found = {(one.row, one.transport): one for one in outcomes}
    rows = list(dict.fromkeys(one.row for one in outcomes))
    lines = [["stack-auth", *TRANSPORTS]]
    lines += [[row, *(found[row, t].short if (row, t) in found else "" for t in TRANSPORTS)] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    reasons: dict[str, list[str]] = {}
    for one in outcomes:
        if one.why:
            reasons.setdefault(f"{one.result}: {one.why}", []).append(f"{one.row}-{one.transport}")
    text += ["", *(f"{', '.join(where)}\n    {why}" for why, where in reasons.items())]
    return "\n".join(text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interop", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    chosen = [cell for cell in cells() if not given.words or any(word in str(cell) for word in given.words)]
    with tempfile.TemporaryDirectory(prefix="i") as scratch, ThreadPoolExecutor(AT_ONCE) as pool:
        folders = [Path(scratch) / str(number) for number in range(len(chosen))]
        for folder in folders:
            folder.mkdir()
        outcomes = list(pool.map(try_out, chosen, folders))
    text = json.dumps([asdict(one) for one in outcomes], indent=1) if given.json else table(outcomes)
    sys.stdout.write(f"{text}\n")
    bad = {"FAILED", "missing"} if os.environ.get("REQUIRE_PEERS") == "1" else {"FAILED"}
    return 1 if any(one.result in bad for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
