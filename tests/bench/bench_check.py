"""`check --staged` in a repository of 10 000 profiles: `python tests/bench/bench_check.py [--smoke]`.

Whole processes, start included, as a pre-commit hook runs them: one manifest staged, and `defaults.yaml` staged,
which concerns all. The base is `git status` in the same repository, whose work is of the same kind.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_load import COUNT, MANIFEST, SMOKE, TEMPLATE
from tests.repositories import ENVIRONMENT, Git

ROUNDS = 5


def timed(git: Git, *command: str) -> tuple[float, float]:
    """Wall-clock and processor seconds of a process and its children, the least of some rounds."""
    figures = []
    for _ in range(ROUNDS):
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=git.folder, env=ENVIRONMENT, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        figures.append((time.perf_counter() - begin, cpu))
    return min(figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help=f"{SMOKE} profiles: does it run at all")
    count = SMOKE if parser.parse_args().smoke else COUNT
    check = (sys.executable, "-m", "gitops_profile", "check", "--staged")
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        git = Git(Path(folder))
        files: dict[str, str | bytes | None] = {
            f"profiles/device/example.com/g{n % 50}/{n:012x}.yaml": MANIFEST.format(n=n) for n in range(count)
        }
        files["profiles/templates/p.cfg.j2"] = TEMPLATE
        files["profiles/defaults.yaml"] = "template: p.cfg.j2\n"
        git.commit(files)
        base, _ = timed(git, "git", "status", "--short")
        for name, path, content in (
            ("one manifest", f"profiles/device/example.com/g1/{1:012x}.yaml", MANIFEST.format(n=count + 1)),
            ("defaults.yaml", "profiles/defaults.yaml", "template: p.cfg.j2\nvalues: {floor: 1}\n"),
        ):
            git.write({path: content})
            git("add", path)
            wall, cpu = timed(git, *check)
            print(
                f"| check --staged, {count:,} profiles, {name:<13} | {wall:6.2f} s | {cpu:6.2f} s CPU | "
                f"{wall / base:6.1f} × git status ({base * 1e3:.0f} ms) |"
            )


if __name__ == "__main__":
    main()
