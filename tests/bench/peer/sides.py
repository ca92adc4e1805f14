"""The three servers that are compared, by one face: start with N documents, be driven through a hook, restart, stop."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from . import harness, processes
from .ours import ROOT, Run

PATIENCE = 300


class Side(Protocol):
    """A server under the harness."""

    name: str
    change: str
    """The method of the hook's verb `change`."""
    target: str
    hook: str

    def start(self, documents: int) -> None:
        """Start it afresh, with this many documents and no subscription."""

    def pids(self) -> list[int]:
        """The processes whose CPU counts."""

    def restart(self) -> float:
        """kill -9, and start it again with what it kept; seconds from the start until it answers."""

    def stop(self) -> None: ...


class Ours:
    """gitops-profile serve; nothing is left out of it but the bounds that one source of all phones would meet."""

    change = "commit"

    def __init__(self, folder: Path, port: int, options: Sequence[str], in_flight: int, root: str = str(ROOT)) -> None:
        self.name = "ours"
        self.target = f"127.0.0.1:{port}"
        self.hook = f"{sys.executable} {ROOT}/tests/bench/peer_hook.py {folder}"
        self._folder, self._port, self._options = folder, port, list(options)
        self._in_flight, self._root = in_flight, root
        self._run: Run | None = None

    @property
    def run(self) -> Run:
        assert self._run is not None, "not started"
        return self._run

    def start(self, documents: int) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._run = Run(
            str(self._folder), self._port, documents, root=self._root, options=self._options, in_flight=self._in_flight
        )
        self.run.prepare()
        self.run.start()

    def pids(self) -> list[int]:
        return processes.family(self.run.pid)

    def restart(self) -> float:
        self.run.stop(signal.SIGKILL)
        self.run.start()
        return self.run.seconds

    def stop(self) -> None:
        if self._run is not None and self._run.pid:
            self._run.stop()
        self._run = None


class Kamailio:
    """The peer, by the harness's own kamailio-up and hook."""

    def __init__(self, name: str, folder: Path, port: int, options: str, change: str) -> None:
        self.name, self.change = name, change
        self.target = f"127.0.0.1:{port}"
        self._tools = harness.folder() / "kamailio"
        self.hook = f"{sys.executable} -B {self._tools}/hook.py {folder}"
        self._folder, self._up = folder, ["--port", str(port), *options.split()]

    def _tool(self, name: str, *arguments: str) -> str:
        """One of its programs; raises RuntimeError with what it said."""
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, f"{self._tools}/{name}", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False, timeout=PATIENCE, env=environment,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{name}: {(done.stderr.strip() or done.stdout.strip())[-300:]}")
        return done.stdout

    def start(self, documents: int) -> None:
        self._tool("kamailio-up", "--dir", str(self._folder), "--docs", str(documents), *self._up)

    def pids(self) -> list[int]:
        answer = json.loads(self._tool("hook.py", str(self._folder), "pids").splitlines()[-1])
        return [pid for group in answer["groups"].values() for pid in group]

    def restart(self) -> float:
        self._tool("hook.py", str(self._folder), "kill9")
        begun = time.perf_counter()
        self._tool("hook.py", str(self._folder), "restart")
        return time.perf_counter() - begun

    def stop(self) -> None:
        if (self._folder / "up.json").exists():
            self._tool("kamailio-down", str(self._folder))


def in_memory(folder: Path) -> Kamailio:
    """Kamailio at its best: documents and subscriptions in memory only, tlsf; a restart loses them."""
    options = "--mode 0 --cache 2 --db none --malloc tlsf --shm 6000"
    return Kamailio("Kamailio, memory only", folder, 5073, options, "publish")


def in_postgres(folder: Path) -> Kamailio:
    """Documents in PostgreSQL, subscriptions written through to it: what survives a restart."""
    options = "--mode 1 --cache 0 --db postgres --pg-port 54331 --children 4 --malloc tlsf --shm 6000"
    return Kamailio("Kamailio, PostgreSQL", folder, 5074, options, "rpc")
