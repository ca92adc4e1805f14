"""`python -m tests.interop [--json] [WORD …]`: the matrix of stack × authentication × transport, as it is here and now.

WORDs choose the cells whose names contain one of them, such as `jssip` or `MD5-tls`.
Exit status 1: a cell that should work does not.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from .matrix import cells
from .outcome import table, try_out


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.interop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    chosen = [cell for cell in cells() if not given.words or any(word in str(cell) for word in given.words)]
    with tempfile.TemporaryDirectory(prefix="i") as scratch:  # short: the admin socket's path has to fit
        outcomes = try_out(chosen, Path(scratch))
    text = json.dumps([asdict(one) for one in outcomes], indent=1) if given.json else table(outcomes)
    sys.stdout.write(f"{text}\n")
    bad = {"FAILED", "missing"} if os.environ.get("REQUIRE_PEERS") == "1" else {"FAILED"}
    return 1 if any(one.result in bad for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
