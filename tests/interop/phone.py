"""A subscriber that another stack drives: what it is asked, and what it says of it (drivers/report.h)."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.system.lab import PATIENCE, eventually, read_trace


@dataclass(frozen=True, slots=True)
class Notify:
    """One NOTIFY that the stack accepted."""

    state: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """Where and as whom a phone subscribes."""

    transport: str
    server: str
    """ADDRESS:PORT of what it sends to, the server or its edge proxy."""
    aor: str
    """As whom, and to whose profile."""
    password: str = ""
    """Empty: it has none, and gives up when challenged."""
    certificates: Path = Path()
    """Folder with `cafile.pem`, whom to trust."""
    expires: int = 600
    """Seconds it asks for."""

    @property
    def user(self) -> str:
        """The name in digest authentication."""
        return self.aor.partition("@")[0]


class Phone(Protocol):
    """What the exercise needs of a subscriber. Counts are of the whole life of the phone."""

    def accepted(self) -> int:
        """How many SUBSCRIBEs had a 2xx."""

    def notifies(self) -> list[Notify]:
        """What came, a repeated one once."""

    def refresh(self) -> None:
        """Subscribe again within the dialog."""

    def unsubscribe(self) -> None:
        """Subscribe with Expires 0."""

    def has_ended(self) -> bool:
        """Whether it unsubscribed and answered the last NOTIFY. Raises AssertionError when it ended otherwise."""

    def close(self) -> None:
        """End its process, whatever it does."""

    def diary(self) -> str:
        """What it said, for somebody who has to find out why."""


class Program:
    """The process of a phone; what it writes goes to files that are read while it runs."""

    def __init__(self, folder: Path, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        with (folder / "output").open("wb") as output, (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.PIPE, stdout=output, stderr=errors,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip

    def lines(self) -> list[str]:
        """The whole lines it has said so far."""
        return (self.folder / "output").read_text(errors="replace").split("\n")[:-1]

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def diary(self) -> str:
        errors = (self.folder / "errors").read_text(errors="replace")
        return f"exit status {self.process.poll()}\n" + "\n".join(self.lines()) + "\n" + errors[-6000:]


class DrivenPhone:
    """A phone whose driver takes commands on standard input."""

    def __init__(self, program: Program, *, refreshes_itself: bool = False) -> None:
        self._program = program
        self._refreshes_itself = refreshes_itself

    def accepted(self) -> int:
        return sum(line.startswith("accepted ") for line in self._lines())

    def notifies(self) -> list[Notify]:
        words = [line.split(" ") for line in self._lines() if line.startswith("notify ")]
        return [Notify(state, b"" if body == "-" else bytes.fromhex(body)) for _, state, body in words]

    def refresh(self) -> None:
        if not self._refreshes_itself:
            self._program.say("refresh")

    def unsubscribe(self) -> None:
        self._program.say("unsubscribe")

    def has_ended(self) -> bool:
        return "ended" in self._lines()

    def close(self) -> None:
        self._program.close()

    def diary(self) -> str:
        return self._program.diary()

    def _lines(self) -> list[str]:
        status = self._program.process.poll()  # before its last words are read, or they could be missed
        lines = self._program.lines()
        failed = [line for line in lines if line.startswith("failed")]
        assert not failed, failed
        assert status is None or "ended" in lines, self.diary()
        return lines


class SippPhone:
    """sipp, which follows its scenario: it refreshes after the first NOTIFY and unsubscribes after the last one."""

    def __init__(self, program: Program, trace: Path) -> None:
        self._program = program
        self._trace = trace

    def accepted(self) -> int:
        answers = [m for m in read_trace(self._trace) if m.received and m.start.startswith("SIP/2.0 2")]
        return len({m.header("CSeq") for m in answers})

    def notifies(self) -> list[Notify]:
        came = [m for m in read_trace(self._trace) if m.received and m.start.startswith("NOTIFY ")]
        return [
            Notify(m.header("Subscription-State").partition(";")[0], m.body) for m in {m.cseq: m for m in came}.values()
        ]

    def refresh(self) -> None:
        """The scenario does it."""

    def unsubscribe(self) -> None:
        """The scenario does it."""

    def has_ended(self) -> bool:
        status = self._program.process.poll()
        assert status in (None, 0), self.diary()
        return status == 0

    def close(self) -> None:
        self._program.close()

    def diary(self) -> str:
        trace = self._trace.read_text(errors="replace") if self._trace.exists() else ""
        return f"{self._program.diary()}\n{trace[-6000:]}"


def wait_for(phone: Phone, what: str, *, accepted: int, notifies: int) -> list[Notify]:
    """Until so many SUBSCRIBEs were accepted and NOTIFYs came; these. Raises AssertionError with the diary."""

    def came() -> bool:
        phone.has_ended()
        return phone.accepted() >= accepted and len(phone.notifies()) >= notifies

    try:
        eventually(what, came, PATIENCE)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{phone.diary()}") from None
    return phone.notifies()
