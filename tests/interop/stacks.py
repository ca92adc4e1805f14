"""The stacks that subscribe to us: what each can do, how it is found, and how it is run."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Protocol

from tests.ports import own_port

from .phone import Call, DrivenPhone, Phone, Program, SippPhone
from .scenario import sipp_scenario

DRIVERS = Path(__file__).parent / "drivers"
TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")


class Stack(Protocol):
    """An independent implementation of SIP, as a subscriber."""

    @property
    def name(self) -> str: ...

    @property
    def lacks(self) -> Mapping[str, str]:
        """Transports and ways to authenticate that it has not, and `edge-` for behind Kamailio, with the reason."""

    def missing(self) -> str | None:
        """Why it cannot run on this machine."""

    def start(self, folder: Path, call: Call) -> Phone:
        """Subscribe; `folder` is made."""


def _not_found(*programs: str) -> str | None:
    missing = [name for name in programs if shutil.which(name) is None]
    return f"{', '.join(missing)} not installed" if missing else None


def _arguments(call: Call) -> list[str]:
    """What every driver is told."""
    user = call.user if call.password else ""
    return [
        f"transport={call.transport}", f"server={call.server}", f"aor={call.aor}", f"user={user}",
        f"password={call.password}", f"expires={call.expires}", f"certificates={call.certificates}",
        f"ca={call.certificates / 'cafile.pem'}",
    ]  # fmt: skip


@dataclass(frozen=True)
class SippStack:
    """SIPp with a scenario written for the exercise."""

    name: str = "sipp"
    lacks: Mapping[str, str] = field(
        default_factory=lambda: {
            "tls": "Debian builds sipp without TLS",
            "ws": "sipp has no WebSocket",
            "wss": "sipp has no WebSocket",
            "SHA-256": "sipp answers MD5 only",
            "edge-MD5": "sipp's digest is of one URI for all requests, and behind a proxy they have two",
        }
    )

    def missing(self) -> str | None:
        return _not_found("sipp")

    def start(self, folder: Path, call: Call) -> Phone:
        scenario, trace = folder.with_suffix(".xml"), folder / "messages.log"
        scenario.write_text(sipp_scenario(call))
        command = [
            "sipp", call.server, "-sf", str(scenario), "-m", "1", "-nostdin",
            "-i", "127.0.0.1", "-p", str(own_port()), "-t", "u1" if call.transport == "udp" else "t1",
            "-recv_timeout", "20000", "-trace_msg", "-message_file", str(trace), "-auth_uri", call.aor,
        ]  # fmt: skip
        return SippPhone(Program(folder, command), trace)


@dataclass(frozen=True)
class CStack:
    """A subscriber in C on a library from Debian, compiled when it is first needed."""

    name: str
    package: str
    """Of pkg-config; one or more."""
    lacks: Mapping[str, str]
    flags: tuple[str, ...] = ()
    refreshes_itself: bool = False
    expires: int = 600
    """Seconds it asks for: few where a refresh comes by itself."""

    def missing(self) -> str | None:
        if missing := _not_found("cc", "pkg-config"):
            return missing
        found = subprocess.run(["pkg-config", "--exists", *self.package.split()], check=False)
        return None if found.returncode == 0 else f"the headers of {self.package} are not installed"

    def start(self, folder: Path, call: Call) -> Phone:
        with _COMPILING:
            program = _compile(self.name, self.package, self.flags)
        command = [str(program), *_arguments(replace(call, expires=self.expires))]
        return DrivenPhone(Program(folder, command, {"INTEROP_TRACE": "1"}), refreshes_itself=self.refreshes_itself)


_COMPILING = Lock()


@cache
def _compile(name: str, package: str, flags: tuple[str, ...]) -> Path:
    """The driver's program, made by this process once."""
    source, program = DRIVERS / f"{name}.c", DRIVERS / "build" / name
    program.parent.mkdir(exist_ok=True)
    found = subprocess.run(
        ["pkg-config", "--cflags", "--libs", *package.split()], check=True, capture_output=True, text=True
    )
    fresh = program.with_suffix(f".{os.getpid()}")  # another process may be at it, too
    command = ["cc", "-std=gnu11", "-Wall", "-O1", *flags, str(source), "-o", str(fresh), *found.stdout.split()]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return fresh.replace(program)


@dataclass(frozen=True)
class NodeStack:
    """A subscriber in JavaScript on a library from npm, over a WebSocket."""

    name: str
    lacks: Mapping[str, str]

    def missing(self) -> str | None:
        if missing := _not_found("node"):
            return missing
        if not (DRIVERS / "node_modules" / "ws").is_dir():
            return f"npm ci was not run in {DRIVERS}"
        return None

    def start(self, folder: Path, call: Call) -> Phone:
        command = ["node", str(DRIVERS / f"{self.name}.mjs"), *_arguments(call)]
        return DrivenPhone(Program(folder, command, {"INTEROP_TRACE": "1"}))


_BROWSER = {
    **dict.fromkeys(("udp", "tcp", "tls"), "made for browsers: it has WebSocket only"),
    "SHA-256": "it answers MD5 only",
}
STACKS: tuple[Stack, ...] = (
    SippStack(),
    CStack(
        "sofia",
        "sofia-sip-ua",
        {
            "ws": "sofia-sip 1.12 has no WebSocket",
            "wss": "sofia-sip 1.12 has no WebSocket",
            "SHA-256": "sofia-sip answers MD5 only",
        },
    ),
    CStack(
        "libre",
        "libre",
        {
            "SHA-256": "libre 1.1 answers MD5 only",
            "edge-wss": "libre 1.1 takes the transport=ws that Kamailio record-routes for plain WebSocket",
        },
        ("-DHAVE_STDBOOL_H=1", "-DHAVE_INTTYPES_H=1"),
        refreshes_itself=True,
        expires=8,
    ),
    CStack(
        "bellesip",
        "belle-sip bctoolbox",
        dict.fromkeys(("ws", "wss"), "belle-sip 5.1 has no WebSocket"),
    ),
    NodeStack("jssip", _BROWSER),
    NodeStack(
        "sipjs",
        _BROWSER,
    ),
)
