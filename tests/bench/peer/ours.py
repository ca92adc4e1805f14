"""Our server under the harness: a bare repository with documents u0 … uN-1, and the real `serve` process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from . import processes
from .harness import DOMAIN, document

ROOT = Path(__file__).resolve().parents[3]
READY = 300.0
"""Seconds until a server has failed to get ready."""

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@example.com",
    "GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip

UNBOUND = 10_000_000
SETTINGS = {
    # All phones of the generator are one address and answer at once: bounds that protect against one rude phone are
    # raised out of the way, and the pacing that protects a network. What stays is the product as it is.
    "limits": {
        "subscriptions": UNBOUND, "subscriptions_per_source": UNBOUND, "subscriptions_per_profile": UNBOUND,
        "unverified_rate": UNBOUND,
    },
}  # fmt: skip


def free_port() -> int:
    """A UDP port on loopback that nobody has at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def now() -> int:
    """The clock of the harness's generator, in nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


@dataclass
class Run:
    """One server and its folder; kept in up.json there, for the processes that come later."""

    folder: str
    port: int
    documents: int
    size: int = 1000
    root: str = str(ROOT)
    """The tree whose gitops_profile is started."""
    options: list[str] = field(default_factory=list)
    """Further options of `gitops-profile serve`."""
    rate: int = UNBOUND
    in_flight: int = 1000
    pid: int = 0
    seconds: float = 0.0
    """From starting the process to its ready line."""

    @classmethod
    def open(cls, folder: Path) -> "Run":
        return cls(**json.loads((folder / "up.json").read_text()))

    def save(self) -> None:
        Path(self.folder, "up.json").write_text(json.dumps(asdict(self), indent=1))

    @property
    def repository(self) -> Path:
        return Path(self.folder, "repository.git")

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self, files: Iterable[tuple[str, bytes]] | None = None) -> None:
        """A repository with these users' documents, or with the harness's, all at version 1."""
        self.repository.mkdir(parents=True)
        self._git("init", "-q", "--bare", "-b", "main")
        if files is None:
            files = ((f"u{number}", document(number, 1, self.size)) for number in range(self.documents))
        self.commit(files)
        notify = {"rate": self.rate, "in_flight": self.in_flight}
        Path(self.folder, "settings.json").write_text(json.dumps({**SETTINGS, "notify": notify}))

    def start(self) -> None:
        """Start the server; returns when it is ready, and has noted how long that took."""
        command = [sys.executable, "-m", "gitops_profile", "serve", "--repo", str(self.repository)]
        command += ["--state", f"{self.folder}/state", "--config", f"{self.folder}/settings.json"]
        command += ["--listen", f"udp:127.0.0.1:{self.port}", *self.options]
        folder = Path(self.folder)
        # As installed: with its bytecode, which a source tree may be forbidden to keep (0.3 s of every start).
        environment = {**os.environ, "PYTHONPATH": self.root, "PYTHONPYCACHEPREFIX": f"{self.folder}/bytecode"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONSAFEPATH"] = "1"  # the tree that is asked for, wherever this is called
        begun = time.perf_counter()
        self.pid, _ = processes.start_until(command, b"ready ", folder / "stdout", folder / "log", environment, READY)
        self.seconds = time.perf_counter() - begun
        self.save()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the server, and what it has started."""
        below = processes.family(self.pid)[1:]
        processes.end(self.pid, number)
        for pid in below:  # after SIGKILL nobody has told them
            if processes.alive(pid):
                processes.end(pid)

    def change(self, numbers: Iterable[int], version: int) -> dict[str, int]:
        """Give documents another version by one commit; when it began and when the ref moved."""
        return self.commit((f"u{number}", document(number, version, self.size)) for number in numbers)

    def commit(self, files: Iterable[tuple[str, bytes | None]]) -> dict[str, int]:
        """One commit on main of users and their documents, None removes one; the moments by the harness's names.

        Before t0 the blobs are in the object store, as `git add` leaves them. Between t0 and t_stored the tree and the
        commit are made and synced. t_stored is just before the ref moves, which is the last step, and t_end after it.
        """
        feed = ["git", "fast-import", "--quiet", "--done", "--date-format=now", "--force"]
        process = subprocess.Popen(
            feed, cwd=self.repository, env={**os.environ, **ENVIRONMENT}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None and process.stdout is not None
        lines = _blobs(process.stdin, files)
        process.stdin.write(b"progress stored\n")
        process.stdin.flush()
        process.stdout.readline()
        begun = now()
        process.stdin.write(b"commit refs/bench/next\ncommitter Bench <bench@example.com> now\ndata 6\nchange\n")
        if self._git("rev-parse", "-q", "--verify", "main", check=False):
            process.stdin.write(b"from refs/heads/main^0\n")
        process.stdin.write(b"".join(lines) + b"done\n")
        process.stdin.close()
        process.stdout.read()
        if process.wait():
            raise RuntimeError("git fast-import failed")
        moved = self._move("refs/heads/main", "refs/bench/next")
        return {"t0": begun, "t_stored": moved, "t_end": now()}

    def _move(self, ref: str, target: str) -> int:
        """Let git move a ref, prepared beforehand; the moment before it did."""
        command = ["git", "update-ref", "--stdin"]
        with subprocess.Popen(command, cwd=self.repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(f"start\nupdate {ref} {target}\nprepare\n".encode())
            process.stdin.flush()
            if [process.stdout.readline() for _ in range(2)] != [b"start: ok\n", b"prepare: ok\n"]:
                raise RuntimeError(f"git does not want to move {ref}")
            moment = now()
            process.stdin.write(b"commit\n")
            process.stdin.flush()
            if process.stdout.readline() != b"commit: ok\n":
                raise RuntimeError(f"git did not move {ref}")
        return moment

    def _git(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.repository, env={**os.environ, **ENVIRONMENT}, capture_output=True,
            text=True, check=check,
        )  # fmt: skip
        return done.stdout.strip()


def _blobs(stream: IO[bytes], files: Iterable[tuple[str, bytes | None]]) -> Sequence[bytes]:
    """Feed the documents as blobs; the lines of the commit that put them in their places."""
    lines = []
    for mark, (user, content) in enumerate(files, 1):
        path = f"profiles/user/{DOMAIN}/{user}.xml"
        if content is None:
            lines.append(f"D {path}\n".encode())
        else:
            stream.write(b"blob\nmark :%d\ndata %d\n%b\n" % (mark, len(content), content))
            lines.append(f"M 100644 :{mark} {path}\n".encode())
    return lines
