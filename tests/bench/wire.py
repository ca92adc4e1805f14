"""What the benchmarks on the wire share: a SUBSCRIBE, a table of profiles, and phones in a process of their own."""

import multiprocessing
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from gitops_profile.presentity import (
    PresentityTable,
    ProfileAdded,
    ProfileDocument,
    ProfileKey,
    RevisionApplied,
    RevisionStamp,
)

REVISION = RevisionStamp("1" * 40, "Ann <ann@example.com>", "Ann <ann@example.com>", "2025-01-01T00:00:00Z", "bench")
BODY = b"<profile>" + b"x" * 1000 + b"</profile>"
RECEIVE_BUFFER = 8 << 20
ECHOED = (b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:")
PATIENCE = 60.0
"""Seconds of silence until a benchmark has failed."""


def subscribe(port: int, number: int, user: str, size: int = 700) -> bytes:
    """A SUBSCRIBE of `size` bytes as a desk phone sends it from 127.0.0.1:`port`."""
    text = (
        f"SUBSCRIBE sip:{user}@example.com SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number:016x};rport\r\n"
        "Max-Forwards: 70\r\n"
        f'From: "Desk phone" <sip:{user}@example.com>;tag={number:08x}\r\n'
        f"To: <sip:{user}@example.com>\r\n"
        f"Call-ID: {number:024x}@127.0.0.1\r\n"
        "CSeq: 1 SUBSCRIBE\r\n"
        f"Contact: <sip:{user}@127.0.0.1:{port}>\r\n"
        'Event: ua-profile;profile-type=user;vendor="bench.example";model="D1";version="1.0.2"\r\n'
        "Accept: text/xml, application/octet-stream\r\n"
        "Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, OPTIONS, UPDATE, MESSAGE\r\n"
        "Supported: replaces, timer\r\n"
        "Expires: 3600\r\n"
        "User-Agent: Bench D1 1.0.2 PADDING\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    return text.replace("PADDING", "0" * (size - len(text) + len("PADDING"))).encode()


def document(user: str, body: bytes = BODY) -> ProfileDocument:
    return ProfileDocument(ProfileKey.user("example.com", user), "text/xml", body, f"user/example.com/{user}.xml")


def table_of(users: int) -> PresentityTable:
    """A table with the users u0, u1, … in force."""
    table = PresentityTable()
    for number in range(users):
        table.apply(ProfileAdded(document(f"u{number}"), REVISION))
    table.apply(RevisionApplied(REVISION, "main", "profiles", 1, users, 0, 0))
    return table


@dataclass(frozen=True, slots=True)
class Phones:
    """What the phones do: `count` SUBSCRIBEs to u0 … u(users-1), `window` at once, then answer `further` NOTIFYs."""

    count: int
    users: int
    window: int = 64
    further: int = 0
    tell_first: bool = False
    """Say "first" when the first of the further NOTIFYs has come."""

    def run(self, pipe: Connection) -> None:
        """The body of the phones' process: says its port, is told the server's, says "subscribed", then "done"."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            sock.settimeout(PATIENCE)
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            requests = [subscribe(port, number, f"u{number % self.users}") for number in range(self.count)]
            pipe.send(port)
            server = ("127.0.0.1", pipe.recv())
            for request in requests[: self.window]:
                sock.sendto(request, server)
            waiting = iter(requests[self.window :])
            self._answer(sock, server, self.count, waiting)
            pipe.send("subscribed")
            if self.further and self.tell_first:
                self._answer(sock, server, 1, waiting)
                pipe.send("first")
            if self.further:
                self._answer(sock, server, self.further - self.tell_first, waiting)
            pipe.send("done")
            pipe.recv()  # keeps the socket open until the server has read everything

    @staticmethod
    def _answer(sock: socket.socket, server: tuple[str, int], count: int, waiting: Iterator[bytes]) -> None:
        told = 0
        while told < count:
            data = sock.recv(65535)
            if not data.startswith(b"NOTIFY "):
                if not data.startswith(b"SIP/2.0 200"):
                    raise RuntimeError(f"the server answered {data[:60]!r}")
                continue
            head = data[: data.find(b"\r\n\r\n")].split(b"\r\n")
            lines = [line for line in head if line.startswith(ECHOED)]
            sock.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *lines, b"Content-Length: 0\r\n\r\n"]), server)
            told += 1
            following = next(waiting, None)
            if following is not None:
                sock.sendto(following, server)


@contextmanager
def running(phones: Phones) -> Iterator[tuple[Connection, int]]:
    """The phones in a process of their own: the pipe to them and their port. Start it before any thread."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=phones.run, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours, ours.recv()
    finally:
        ours.close()
        process.terminate()
        process.join()
        process.close()


class Stopwatch:
    """Wall-clock and processor seconds since it was made: of this process and of its children that have ended."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), _processor_seconds()

    def read(self) -> tuple[float, float]:
        """Wall-clock seconds, processor seconds (user and system)."""
        return time.perf_counter() - self._wall, _processor_seconds() - self._processor


def _processor_seconds() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime
