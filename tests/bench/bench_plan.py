"""A one-line change of `defaults.yaml` over 10 000 profiles: `python tests/bench/bench_plan.py [--smoke]`."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_load import COUNT, MANIFEST, SMOKE, TEMPLATE
from tests.repositories import ENVIRONMENT, Git


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help=f"{SMOKE} profiles: does it run at all")
    count = SMOKE if parser.parse_args().smoke else COUNT
    with tempfile.TemporaryDirectory() as folder:
        work = Git(Path(folder))
        files: dict[str, str | bytes | None] = {
            f"profiles/device/example.com/g{n % 50}/{n:012x}.yaml": MANIFEST.format(n=n) for n in range(count)
        }
        files["profiles/templates/p.cfg.j2"] = TEMPLATE + "ring = {{ ring }}\n"
        files["profiles/defaults.yaml"] = "template: p.cfg.j2\nvalues: {ring: 20}\n"
        work.commit(files)
        work.commit({"profiles/defaults.yaml": "template: p.cfg.j2\nvalues: {ring: 30}\n"})
        for form in ("text", "json", "markdown"):
            command = [sys.executable, "-m", "gitops_profile", "plan", "HEAD~1..HEAD", "-o", form]
            begin = time.perf_counter()
            done = subprocess.run(command, cwd=work.folder, env=ENVIRONMENT, capture_output=True, check=False)
            taken = time.perf_counter() - begin
            assert done.returncode == 3, done.stderr
            print(f"| plan, {count} profiles change, {form:<8} | {taken:6.2f} s | {len(done.stdout):9} bytes |")


if __name__ == "__main__":
    main()
