"""One real repository, the real server process, and sipp as an independent subscriber."""

import asyncio
import json
import re
import selectors
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitops_profile.admin_client import call_admin
from tests.absent import absent
from tests.ports import own_port
from tests.repositories import ENVIRONMENT, Git

SCENARIOS = Path(__file__).parent / "scenarios"
PATIENCE = 20.0
"""Seconds until something that should have happened has not."""
LOOPBACK = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")


def need(program: str) -> str:
    """Where a program is; without it the test is skipped, or fails when REQUIRE_PEERS=1."""
    return shutil.which(program) or absent(f"{program} is not installed")


def eventually(what: str, condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Look until it is so."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"did not happen within {patience} s: {what}"
        time.sleep(0.01)


def loopback() -> tuple[str, ...]:
    """Listeners on a port that is free, over UDP and TCP; nobody gets it while a server is down."""
    port = own_port()
    return f"udp:127.0.0.1:{port}", f"tcp:127.0.0.1:{port}"


def profile(name: str, version: int | str) -> bytes:
    """A plain document."""
    return f"<profile><user>{name}</user><version>{version}</version></profile>\n".encode()


def file_of(name: str) -> str:
    """Where a plain document lies."""
    return f"profiles/user/example.com/{name}.xml"


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message as sipp saw it."""

    received: bool
    data: bytes

    @property
    def start(self) -> str:
        return self.data.split(b"\r\n", 1)[0].decode()

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]

    def header(self, name: str) -> str:
        found = re.search(rf"^{name}: *(.*?)\r$".encode(), self.data, re.MULTILINE | re.IGNORECASE)
        assert found is not None, (name, self.data)
        return found.group(1).decode()

    @property
    def cseq(self) -> int:
        return int(self.header("CSeq").split()[0])


_TRACED = re.compile(rb"-{20,}[^\n]*\n(?:UDP|TCP) message (sent|received) [(\[](\d+)\]? bytes\)? ?:\n\n")


def read_trace(file: Path) -> list[Message]:
    """The messages of a sipp message file, byte for byte; one that is still being written is left out."""
    data, messages, at = (file.read_bytes() if file.exists() else b""), [], 0
    while found := _TRACED.search(data, at):
        at = found.end() + int(found.group(2))
        if at > len(data):
            break
        messages.append(Message(found.group(1) == b"received", data[found.end() : at]))
    return messages


class SIPp:
    """A running sipp; its trace is read while it runs."""

    def __init__(
        self, folder: Path, scenario: str, user: str, server: str, notifies: int, options: Sequence[str]
    ) -> None:
        folder.mkdir()
        options = options or ("-i", "127.0.0.1")
        if "-p" not in options:  # else the next sipp gets it as soon as this one ends, and hears what was for this one
            options = [*options, "-p", str(own_port())]
        self.trace = folder / "messages.log"
        self._output = folder / "output"
        command = [
            need("sipp"), server, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-s", user, "-m", "1", "-nostdin",
            "-key", "notifies", str(notifies), "-recv_timeout", "60000", "-trace_msg", "-message_file",
            str(self.trace), *options,
        ]  # fmt: skip
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)

    def notifies(self) -> list[Message]:
        """The NOTIFYs that came, a repeated one once."""
        found = {m.cseq: m for m in read_trace(self.trace) if m.received and m.start.startswith("NOTIFY ")}
        return list(found.values())

    def has(self, count: int) -> list[Message]:
        """Wait until so many NOTIFYs have come and been answered."""

        def answered() -> bool:
            assert self.process.poll() in (None, 0), self.output()
            sent = {m.cseq for m in read_trace(self.trace) if not m.received and m.start == "SIP/2.0 200 OK"}
            came = [m.cseq for m in self.notifies()]
            return len(came) >= count and sent.issuperset(came)

        eventually(f"{count} NOTIFYs answered in {self.trace}", answered)
        return self.notifies()

    def finish(self) -> list[Message]:
        """Wait for its end, which must be a good one; the NOTIFYs."""
        status = self.process.wait(PATIENCE)
        assert status == 0, self.output()
        return self.notifies()

    def output(self) -> str:
        """The end of what sipp says, with its errors."""
        return self._output.read_text(errors="replace")[-3000:]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class ServerProcess:
    """`gitops-profile serve`, a whole process."""

    def __init__(self, repository: Path, state: Path, log: Path) -> None:
        self.repository, self.state, self.log = repository, state, log
        self.listen: tuple[str, ...] = loopback()
        self.environment: dict[str, str] = {}
        """What its environment has besides."""
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, *options: str) -> None:
        """Start it; the listeners of an earlier start are taken again."""
        command = [sys.executable, "-m", "gitops_profile", "serve", "--repo", str(self.repository)]
        command += ["--state", str(self.state), *(part for one in self.listen for part in ("--listen", one)), *options]
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env=ENVIRONMENT | self.environment
            )

    def wait_ready(self) -> None:
        """Until the ready line."""
        assert self.process is not None and self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(PATIENCE), f"no ready line; {self.stderr()}"
        line = self.process.stdout.readline().decode()
        assert line.startswith("ready "), (line, self.stderr())
        self.listen = tuple(part for part in line.split()[1:] if not part.startswith("http"))

    def start(self, *options: str) -> None:
        self.launch(*options)
        self.wait_ready()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self.process is not None and self.process.stdout is not None
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process = None
        return status

    def stderr(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def address(self, transport: str = "udp") -> str:
        """ADDRESS:PORT, as sipp wants it."""
        return next(one for one in self.listen if one.startswith(transport)).partition(":")[2]

    @property
    def port(self) -> int:
        return int(self.address().rpartition(":")[2])

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.wait()


class Lab:
    """A repository, a server and phones in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git = Git(folder / "repository")
        self.server = ServerProcess(self.git.folder, folder / "state", folder / "server.log")
        self._phones: list[SIPp] = []

    def write(self, **versions: int | str) -> str:
        """Commit a version of each named user's document."""
        return self.git.commit({file_of(name): profile(name, version) for name, version in versions.items()})

    def revert(self, what: str = "HEAD") -> str:
        self.git("revert", "--no-edit", what)
        return self.git.head()

    def phone(
        self,
        scenario: str,
        user: str,
        notifies: int = 1,
        *,
        transport: str = "udp",
        options: Sequence[str] = (),
        server: str | None = None,
    ) -> SIPp:
        """Start sipp, towards the server or ADDRESS:PORT of another one."""
        folder = self.folder / f"sipp-{len(self._phones)}-{user}"
        phone = SIPp(folder, scenario, user, server or self.server.address(transport), notifies, options)
        self._phones.append(phone)
        return phone

    def run(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """A command of the command line, with `given` on its standard input; no traceback, ever."""
        done = subprocess.run(
            [sys.executable, "-m", "gitops_profile", *arguments], cwd=self.git.folder, env=ENVIRONMENT,
            capture_output=True, check=False, timeout=60, input=given,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command that goes on running; whoever starts it waits for its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "gitops_profile", *arguments], cwd=self.git.folder, env=ENVIRONMENT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, name: str) -> Any:
        """What the running server says on its admin socket: quick enough for polling."""
        return asyncio.run(call_admin(self.server.state / "admin.sock", name, {}))

    def command(self, *arguments: str) -> Any:
        """What a command says of the running server as JSON, whatever its exit status."""
        done = self.run(*arguments, "--state", str(self.server.state), "-o", "json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def events(self) -> list[dict[str, Any]]:
        """The event log as `events -o json` prints it."""
        done = self.run("events", "--state", str(self.server.state), "-o", "json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def settled(self, phones: int) -> None:
        """Wait until so many phones have what is in force, and that is on the disk: the server may be killed now."""
        uri = f"file:{self.server.state / 'subscriptions.db'}?mode=ro"

        def so() -> bool:
            held = self.ask("subscriptions")
            with closing(sqlite3.connect(uri, uri=True)) as database:
                stored = dict(database.execute("SELECT id, acknowledged_etag FROM subscription"))
            known = {row["id"]: row["acknowledged_etag"] for row in held}
            return len(held) == phones and all(row["current"] for row in held) and stored == known

        eventually(f"{phones} phones are up to date", so)

    def close(self) -> None:
        for phone in self._phones:
            phone.close()
        self.server.close()
