"""The peer harness, a folder beside the project: its documents, its driver and its load generator, used as they are.

BENCH_HARNESS names the folder. Nothing of it is copied: documents are made by its own doc.py, so both servers hold the
same bytes.
"""

import fcntl
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

Record = dict[str, Any]
"""One line of the harness's output; its README says what is in it."""

DOMAIN = "prov.test"
LOCK = "/tmp/bench.lock"
"""Held while something is measured, by everybody on the machine."""


def folder() -> Path:
    """Where the harness is; ends the program when it is nowhere."""
    named = os.environ.get("BENCH_HARNESS")
    if not named:
        sys.exit("BENCH_HARNESS must name the folder of the peer harness (docs/performance.md)")
    path = Path(named).resolve()
    if not (path / "bench.py").exists():
        sys.exit(f"{path} is no peer harness: it has no bench.py")
    return path


@cache
def _documents() -> dict[str, Any]:
    return runpy.run_path(str(folder() / "doc.py"))  # which, unlike an import, leaves no bytecode there


def document(number: int, version: int, size: int) -> bytes:
    """Document u`number` at a version, `size` bytes."""
    made = _documents()["make_doc"](number, version, size)
    assert isinstance(made, bytes)
    return made


@cache
def generator() -> str:
    """The load generator: the harness's own, or built from its source into a temporary folder."""
    built = folder() / "load" / "uaload"
    if built.exists():
        return str(built)
    program = Path(tempfile.mkdtemp(prefix="uaload-"), "uaload")
    subprocess.run(["cc", "-O2", "-o", str(program), str(folder() / "load" / "uaload.c"), "-lm"], check=True)
    return str(program)


@contextmanager
def lock() -> Iterator[None]:
    """The machine for oneself, among those who hold this lock."""
    with open(LOCK, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(target: str, hook: str, tests: Sequence[str], *options: str, patience: float = 900) -> list[Record]:
    """Run tests of the harness's driver against a server; its records, with one for an error that ended it."""
    command = [sys.executable, "-B", str(folder() / "bench.py"), "--target", target, "--hook", hook]
    command += ["--lock", LOCK, "--genbin", generator()]
    try:
        done = subprocess.run(
            [*command, *options, *tests], capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired as error:
        told = error.stdout.decode() if isinstance(error.stdout, bytes) else ""  # bytes, whatever was asked for
        return [*_records(told), {"test": tests[0], "error": f"not done in {patience:.0f} s"}]
    records = _records(done.stdout)
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        records.append({"test": tests[0], "error": why[0]})
    return records


def _records(text: str) -> list[Record]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class Generator:
    """The load generator: one process that plays `count` phones and answers NOTIFYs all the while."""

    def __init__(self, target: str, count: int, documents: int) -> None:
        command = [generator(), "-s", target, "-n", str(count), "-d", str(documents)]
        self._process = subprocess.Popen(
            [*command, "-D", DOMAIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._answer()

    def __call__(self, verb: str, **values: object) -> Record:
        """One command; its answer."""
        assert self._process.stdin is not None
        pairs = "".join(f" {key.rstrip('_')}={value}" for key, value in values.items())
        self._process.stdin.write(f"{verb}{pairs}\n")
        return self._answer()

    def _answer(self) -> Record:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator has ended")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def close(self) -> None:
        self._process.communicate("quit\n", timeout=20)
