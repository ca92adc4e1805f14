"""What attacks are made of: whom, how fast, the sockets, the messages, and what comes back. Standard library only."""

import os
import re
import select
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

BRANCHES = count(1)
RUN = os.urandom(4).hex()
ECHOED = re.compile(rb"^(?:Via|From|To|Call-ID|CSeq):.*?\r\n", re.MULTILINE)
STATUS = re.compile(rb"SIP/2\.0 (\d{3})")
HUGE = 100 << 20
MOST = 150
"""Connections of one attack at once, where it is not about their number."""


@dataclass
class Outcome:
    """What came back."""

    sent: int = 0
    """Messages, or connections where the attack is one."""
    closed: int = 0
    """Connections that the server ended."""
    answers: Counter[str] = field(default_factory=Counter)
    """By status; `close-1009` for a WebSocket's."""
    retry_after: set[str] = field(default_factory=set)
    seconds: float = 0.0
    """Until the server had closed the last connection."""

    def read(self, data: bytes) -> None:
        """Count the answers in what came."""
        self.answers.update(status.decode() for status in STATUS.findall(data))
        self.retry_after.update(value.decode() for value in re.findall(rb"Retry-After: (\d+)", data))


@dataclass(frozen=True)
class Target:
    """Whom to attack, how long, how fast."""

    host: str
    port: int
    transport: str
    seconds: float
    rate: int
    user: str
    source: str | None = None
    """The address to come from."""

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def ticks(self, limit: int = 1_000_000) -> Iterator[int]:
        """Numbers at the rate until the time is up."""
        start = time.monotonic()
        for number in range(limit):
            due = start + number / self.rate
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            if time.monotonic() > start + self.seconds:
                return
            yield number

    def datagrams(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if self.source is not None:
            sock.bind((self.source, 0))
        sock.connect(self.address)
        sock.setblocking(False)
        return sock

    def stream(self, receive_buffer: int | None = None) -> socket.socket:
        """A connection, through the handshakes."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(5)
        if self.source is not None:
            sock.bind((self.source, 0))
        sock.connect(self.address)
        if self.transport == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock)
        if self.transport == "ws":
            sock.sendall(
                f"GET / HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: sip\r\n\r\n".encode()
            )
            got = b""
            while b"\r\n\r\n" not in got:
                more = sock.recv(4096)
                if not more:
                    raise ConnectionError(got)
                got += more
        return sock

    def framed(self, message: bytes, announced: int | None = None) -> bytes:
        """A message as this transport carries it; a frame may announce another length than it has."""
        if self.transport != "ws":
            return message
        length = len(message) if announced is None else announced
        return struct.pack("!BBQI", 0x81, 0x80 | 127, length, 0) + message  # a text frame, masked with zeros


def request(
    target: Target, user: str, more: str = "", *, method: str = "SUBSCRIBE", expires: int = 3600, length: int = 0
) -> bytes:
    """A request that is right, but for `more`."""
    number = next(BRANCHES)
    via = {"ws": "WS", "tcp": "TCP", "tls": "TLS"}.get(target.transport, "UDP")
    return (
        f"{method} sip:{user}@example.com SIP/2.0\r\n"
        f"Via: SIP/2.0/{via} 192.0.2.66:5066;branch=z9hG4bK{RUN}{number};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:{user}@example.com>;tag=m{number}\r\nTo: <sip:{user}@example.com>\r\n"
        f"Call-ID: {RUN}-{number}\r\nCSeq: 1 {method}\r\nContact: <sip:m@192.0.2.66:5066>\r\n"
        f"Event: ua-profile;profile-type=user\r\nExpires: {expires}\r\n{more}Content-Length: {length}\r\n\r\n"
    ).encode()


def drain(sock: socket.socket, outcome: Outcome, answer: str | None = None) -> None:
    """Take what has come without waiting; `answer` is the status that NOTIFYs get."""
    while True:
        try:
            data = sock.recv(65535)
        except (BlockingIOError, ConnectionError):
            return
        outcome.read(data)
        if answer is not None and data.startswith(b"NOTIFY "):
            head = data[: data.find(b"\r\n\r\n") + 2]
            sock.send(
                b"SIP/2.0 %s x\r\n%sContent-Length: 0\r\n\r\n" % (answer.encode(), b"".join(ECHOED.findall(head)))
            )


def until_closed(held: list[socket.socket], outcome: Outcome, seconds: float = 4.0) -> None:
    """Read until the server has ended every connection, or the time is up."""
    end = time.monotonic() + seconds
    got = dict.fromkeys(held, b"")
    open_ = set(held)
    while open_ and (left := end - time.monotonic()) > 0:
        for sock in select.select(list(open_), [], [], left)[0]:
            sock.settimeout(0.05)
            try:
                data = sock.recv(65535)
            except TimeoutError:
                continue  # TLS: a record that is not whole
            except OSError:
                data = b""
            got[sock] += data
            if not data:
                open_.discard(sock)
    outcome.closed += len(held) - len(open_)
    if open_:
        outcome.answers["open"] += len(open_)
    for sock, data in got.items():
        outcome.read(data)
        if data[:1] == b"\x88":  # a Close frame and its code
            outcome.answers[f"close-{int.from_bytes(data[2:4], 'big')}"] += 1
        sock.close()
