"""A server under attack, and beside it a subscriber who should see no difference: his times, the server's figures."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.transport.authority import Authority

from .lab import Lab, eventually, profile

ROOT = Path(__file__).resolve().parents[2]
LISTEN = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "tls:127.0.0.1:0", "ws:127.0.0.1:0")
_ECHOED = re.compile(rb"^(?:Via|From|To|Call-ID|CSeq):.*?\r\n", re.MULTILINE)
_EXPIRES = re.compile(rb"^Subscription-State: *active;.*?expires=(\d+)", re.MULTILINE)
NOTHING: Mapping[str, str] = {}
PAUSE = 0.003
"""Seconds between two fetches: a phone, not an attack."""
UNREMARKABLE = 0.05
"""Seconds of a fetch, 99 of 100."""


class Subscriber:
    """A phone in a few lines of its own, that shares nothing with the server."""

    def __init__(self, port: int, user: str) -> None:
        self.user = user
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.connect(("127.0.0.1", port))
        self._here = self._sock.getsockname()[1]
        self.lost = 0
        """Datagrams that had to be sent again."""
        self._call = b""

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def subscribe(self, expires: int, patience: float = 10.0) -> bytes:
        """SUBSCRIBE in a new dialog, answer the NOTIFY; the NOTIFY."""
        token = os.urandom(6).hex()
        self._call = f"Call-ID: {token}\r\n".encode()
        request = (
            f"SUBSCRIBE sip:{self.user}@example.com SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self._here};branch=z9hG4bK{token};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{self.user}@example.com>;tag={token}\r\nTo: <sip:{self.user}@example.com>\r\n"
            f"Call-ID: {token}\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:{self.user}@127.0.0.1:{self._here}>\r\n"
            f"Event: ua-profile;profile-type=user\r\nExpires: {expires}\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        accepted, notify, end = False, b"", time.monotonic() + patience
        self._sock.send(request)
        while not (accepted and notify):
            assert time.monotonic() < end, f"no {'NOTIFY' if accepted else 'answer'} within {patience} s"
            data = self._receive(0.5)
            if data is None:
                self._sock.send(request)
                self.lost += 1
            elif data.startswith(b"NOTIFY "):
                notify = data
            elif self._call in data:
                assert data.startswith(b"SIP/2.0 200 "), data
                accepted = True
        return notify

    def fetch(self) -> float:
        """Seconds of one fetch: SUBSCRIBE, 200, NOTIFY, our 200 sent."""
        start = time.perf_counter()
        self.subscribe(0)
        return time.perf_counter() - start

    def notified(self, patience: float = 10.0) -> bytes:
        """The next NOTIFY of the subscription."""
        data = self._until(time.monotonic() + patience)
        assert data is not None, f"no NOTIFY within {patience} s"
        return data

    def hears_nothing(self, seconds: float) -> None:
        """No NOTIFY for so long."""
        data = self._until(time.monotonic() + seconds)
        assert data is None, data

    def _until(self, end: float) -> bytes | None:
        while (left := end - time.monotonic()) > 0:
            data = self._receive(left)
            if data is not None and data.startswith(b"NOTIFY "):
                return data
        return None

    def _receive(self, seconds: float) -> bytes | None:
        """What comes next; a NOTIFY of ours is answered, and one of an earlier dialog does not count."""
        self._sock.settimeout(seconds)
        try:
            data = self._sock.recv(65535)
        except (TimeoutError, ConnectionRefusedError):
            return None
        if not data.startswith(b"NOTIFY "):
            return data
        echoed = b"".join(_ECHOED.findall(data[: data.find(b"\r\n\r\n") + 2]))
        self._sock.send(b"SIP/2.0 200 OK\r\n" + echoed + b"Content-Length: 0\r\n\r\n")
        return data if self._call in data else b""


def seconds_left(notify: bytes) -> int:
    """What a NOTIFY says of the subscription."""
    found = _EXPIRES.search(notify)
    assert found is not None, notify
    return int(found.group(1))


def percentile(times: Sequence[float], share: float = 0.99) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


@dataclass(frozen=True)
class Trial:
    """What an attack came to."""

    outcome: dict[str, Any]
    """As `attacks.Outcome`."""
    moved: dict[str, float]
    """The counters that moved, without the prefix."""
    quiet: list[float]
    times: list[float]
    """Seconds of the fetches before and during it."""
    lost: int
    grown: float
    """MB that the server had at most, beyond what it had before."""
    descriptors: int
    """Open ones at most, beyond those of before."""


class Arena:
    """A server with every transport."""

    def __init__(
        self,
        folder: Path,
        listen: Sequence[str] = LISTEN,
        settings: str = "",
        environment: Mapping[str, str] = NOTHING,
    ) -> None:
        self.lab = Lab(folder / "lab")
        self.lab.server.environment = dict(environment)
        issued = Authority(folder / "authority").issue("server", "IP:127.0.0.1")
        self._config = folder / "settings.yaml"
        self._config.write_text(f"tls: {{certificate: {issued.certificate}, key: {issued.key}}}\n{settings}")
        self.lab.server.listen = tuple(listen)
        self.lab.write(alice=0, victim=0, watched=0)
        self._version = 0
        self.start()

    def start(self) -> None:
        self.lab.server.start("--http", "127.0.0.1:0", "--config", str(self._config))
        self._http = self.lab.ask("status")["http"]

    def close(self) -> None:
        self.lab.close()

    # -- the server's figures ----------------------------------------------------------------------------------------

    @property
    def process(self) -> Path:
        assert self.lab.server.process is not None
        return Path(f"/proc/{self.lab.server.process.pid}")

    def descriptors(self) -> int:
        return len(os.listdir(self.process / "fd"))

    def memory(self, name: str = "VmRSS") -> float:
        """MB."""
        found = re.search(rf"{name}:\s+(\d+) kB", (self.process / "status").read_text())
        assert found is not None
        return int(found.group(1)) / 1024

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"{self._http}metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name.removeprefix("gitops_profile_"): float(value) for name, _, value in samples if "_total" in name}

    # -- attacks -----------------------------------------------------------------------------------------------------

    def launch(
        self, name: str, address: str, transport: str, *options: str, prefix: Sequence[str] = ()
    ) -> "subprocess.Popen[bytes]":
        """Start an attack."""
        host, _, port = address.rpartition(":")
        command = [*prefix, sys.executable, "-m", "tests.system.attacks", name, host, port, transport, *options]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)

    def endure(
        self, name: str, transport: str, *options: str, address: str | None = None, prefix: Sequence[str] = ()
    ) -> Trial:
        """One attack from its start to its end, with the victim beside it."""
        address = address or self.lab.server.address(transport)
        with Subscriber(self.lab.server.port, "victim") as victim:
            quiet = fetches(victim, until(0.7))
            before, memory, descriptors = self.metrics(), self.memory(), self.descriptors()
            most = 0
            (self.process / "clear_refs").write_text("5")  # VmHWM starts anew
            attack = self.launch(name, address, transport, *options, prefix=prefix)

            def goes_on() -> bool:
                nonlocal most
                most = max(most, self.descriptors())
                return attack.poll() is None

            times = fetches(victim, goes_on)
            assert attack.stdout is not None
            with attack.stdout:
                outcome = json.loads(attack.stdout.read())
            after = self.metrics()
            moved = {key: value - before.get(key, 0.0) for key, value in after.items() if value != before.get(key, 0.0)}
            grown = self.memory("VmHWM") - memory
            lost = victim.lost
        return Trial(outcome, moved, quiet, times, lost, grown, most - descriptors)

    def still_tells_of_a_commit(self) -> None:
        """A subscription as ever gets the NOTIFY of a commit."""
        with Subscriber(self.lab.server.port, "watched") as phone:
            phone.subscribe(600)
            assert self.commit() in phone.notified()
            phone.subscribe(0)

    def commit(self) -> bytes:
        """A new version of the watched document."""
        self._version += 1
        self.lab.write(watched=self._version)
        return profile("watched", self._version)

    def lets_go_of_connections(self, before: int) -> None:
        eventually("every descriptor is closed again", lambda: self.descriptors() <= before + 2)


def cut(reason: str) -> str:
    """The counter of connections that were ended for it."""
    return f'connections_refused_total{{reason="{reason}"}}'


def dawdle(arena: Arena, seconds: float) -> list["subprocess.Popen[bytes]"]:
    """Three attacks at once that go on for so long at most, each from an address of its own: 250, 250 and 100
    connections, of which two send a byte at a time and one does not begin its handshake."""
    return [
        arena.launch(
            name, arena.lab.server.address(transport), transport, "--seconds", str(seconds), "--rate", "20",
            "--source", source,
        )
        for name, transport, source in (
            ("slow_loris", "tcp", "127.0.0.2"),
            ("slow_loris", "ws", "127.0.0.3"),
            ("no_handshake", "tls", "127.0.0.4"),
        )
    ]  # fmt: skip


def until(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def fetches(victim: Subscriber, goes_on: Callable[[], bool]) -> list[float]:
    """The seconds of one fetch after the other."""
    times = []
    while goes_on():
        times.append(victim.fetch())
        time.sleep(PAUSE)
    return times
