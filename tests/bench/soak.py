"""A bounded soak of the real server: `python tests/bench/soak.py [--minutes 30] [--phones 1000] [-- SERVE'S OPTION …]`.

Phones subscribe, refresh, are switched off and come back; commits change one profile, some or all, every fourth takes
the change before it back; the server is killed (-9) and stopped in turn, and started again. For the last two fifths it
is left running, so that its memory can be watched. It fails (exit 1), and says why, unless

- every commit reached every phone that was switched on, with the very bytes that were committed;
- no subscription was lost: a phone that was on all the time is never told that its dialog is unknown, and at the end
  every phone refreshes with success, holds what is committed, and the server counts its answer;
- memory is flat: that of the last quarter of the watched time is within 5 % and 4 MiB of the second quarter's, without
  that of git, whose caches have bounds of their own.

Prints its summary as markdown. Loopback only, and every loop has an end.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.peer.ours import Run, free_port
from tests.bench.soaking.course import Course, content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--phones", type=int, default=1000)
    parser.add_argument("--users", type=int, default=400, help="profiles; phones share them in turn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("options", nargs="*", help="after --: further options of gitops-profile serve")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        run = Run(folder, free_port(), given.users, options=given.options)
        run.prepare((f"u{number}", content(number, 1)) for number in range(given.users))
        course = Course(run, given.phones, given.minutes * 60, given.seed)
        asyncio.run(course.run())
        print(course.record.summary(given.minutes, given.phones, given.users))
        sys.exit(1 if course.record.failures else 0)


if __name__ == "__main__":
    main()
