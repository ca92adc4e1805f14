"""What a hostile peer does, each bounded in count and time: `python -m tests.system.attacks NAME HOST PORT TRANSPORT …`

A process of its own, so that its work is not the work of whoever looks at the server meanwhile; the standard library
only and nothing of the package, so that it is an independent party and runs in a network namespace as well. It prints
one line of JSON: what the server answered.
"""

import argparse
import json
import os
import re
import select
import socket
import ssl
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
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


# -- one message that is too much ---------------------------------------------------------------------------------


def huge_length(target: Target) -> Outcome:
    """A Content-Length of 100 MB, and a little of the body."""
    outcome = Outcome()
    if target.transport == "udp":
        return messages(target, lambda: request(target, target.user, length=HUGE) + b"x" * 1000)
    held = []
    for _ in target.ticks(limit=MOST):
        sock = target.stream()
        sock.sendall(target.framed(request(target, target.user, length=HUGE) + b"x" * 1000, HUGE))
        held.append(sock)
    outcome.sent = len(held)
    until_closed(held, outcome)
    return outcome


def many_headers(target: Target) -> Outcome:
    """10 000 header fields."""
    more = "a:b\r\n" * 10_000
    return messages(target, lambda: request(target, target.user, more))


def long_header(target: Target) -> Outcome:
    """One header field of 1 MB, or of a whole datagram."""
    more = f"X-Long: {'x' * (60_000 if target.transport == 'udp' else 1 << 20)}\r\n"
    return messages(target, lambda: request(target, target.user, more))


def messages(target: Target, build: Callable[[], bytes]) -> Outcome:
    """Datagrams on one socket, or a connection for each message."""
    outcome = Outcome()
    if target.transport == "udp":
        with target.datagrams() as sock:
            for _ in target.ticks():
                sock.send(build())
                outcome.sent += 1
                drain(sock, outcome)
            time.sleep(0.2)
            drain(sock, outcome)
        return outcome
    held = []
    for _ in target.ticks(limit=MOST):
        sock = target.stream()
        try:
            sock.sendall(target.framed(build()))
        except OSError:
            outcome.answers["cut"] += 1  # it closed before it had everything
        held.append(sock)
    outcome.sent = len(held)
    until_closed(held, outcome)
    return outcome


# -- many messages -------------------------------------------------------------------------------------------------


def flood(target: Target) -> Outcome:
    """Subscriptions, each in a dialog of its own, as fast as the rate; NOTIFYs are answered with 200."""
    outcome = Outcome()
    if target.transport == "udp":
        with target.datagrams() as sock:
            for _ in target.ticks():
                sock.send(request(target, target.user))
                outcome.sent += 1
                drain(sock, outcome, "200")
            time.sleep(0.3)
            drain(sock, outcome, "200")
        return outcome
    with target.stream() as sock:
        for _ in target.ticks():
            sock.sendall(target.framed(request(target, target.user)))
            outcome.sent += 1
            while select.select([sock], [], [], 0)[0]:
                outcome.read(sock.recv(65535))
        time.sleep(0.3)
        outcome.read(sock.recv(1 << 20))
    return outcome


def bursts(target: Target, connections: int = 8) -> Outcome:
    """Peers that send questions without a pause, a hundred at a time, and read the answers."""
    outcome = Outcome()
    held = [target.stream() for _ in range(connections)]
    end = time.monotonic() + target.seconds
    unsent = dict.fromkeys(held, b"")
    while time.monotonic() < end:
        for sock in held:
            sock.settimeout(0.001)
            try:
                outcome.read(sock.recv(1 << 20))
            except TimeoutError:
                pass  # it has its turn later
            if not unsent[sock]:
                asked = (target.framed(request(target, f"nobody{next(BRANCHES)}")) for _ in range(100))
                unsent[sock] = b"".join(asked)
                outcome.sent += 100
            try:
                unsent[sock] = unsent[sock][sock.send(unsent[sock]) :]
            except TimeoutError:
                continue
    until_closed(held, outcome, seconds=0.5)
    return outcome


def unknown_users(target: Target) -> Outcome:
    """SUBSCRIBEs for who is not there."""
    return messages(target, lambda: request(target, f"nobody{next(BRANCHES)}"))


def malformed(target: Target) -> Outcome:
    """Requests without a CSeq, and what is no SIP at all."""
    noise = os.urandom(900).replace(b"\r", b"-")
    broken = (lambda: request(target, target.user).replace(b"CSeq:", b"X-CSeq:"), lambda: b"N" + noise)
    return messages(target, lambda: broken[next(BRANCHES) % 2]())


def invites(target: Target) -> Outcome:
    """INVITEs: never acknowledged, so that the refusal would be repeated."""
    return messages(target, lambda: request(target, target.user, method="INVITE"))


def stray_answers(target: Target) -> Outcome:
    """Responses to requests that nobody sent."""
    return messages(
        target,
        lambda: request(target, target.user).replace(
            b"SUBSCRIBE sip:%s@example.com SIP/2.0" % target.user.encode(), b"SIP/2.0 200 OK", 1
        ),
    )


# -- NOTIFYs --------------------------------------------------------------------------------------------------------


def answers(target: Target, status: str | None, expires: int = 3600, then: float = 0.5) -> Outcome:
    """Subscriptions whose NOTIFYs get this answer, or none; `then` is how much longer it goes on answering."""
    outcome = Outcome()
    with target.datagrams() as sock:
        for _ in target.ticks():
            sock.send(request(target, target.user, expires=expires))
            outcome.sent += 1
            drain(sock, outcome, status)
        end = time.monotonic() + then
        while (left := end - time.monotonic()) > 0:
            select.select([sock], [], [], left)
            drain(sock, outcome, status)
    return outcome


# -- connections -----------------------------------------------------------------------------------------------------


def slow_loris(target: Target, connections: int = 250) -> Outcome:
    """Connections that send a message a byte at a time, for as long as the server lets them."""
    outcome = Outcome()
    held: list[socket.socket] = []
    data = target.framed(request(target, target.user, f"X-Long: {'x' * 2000}\r\n"))
    started = time.monotonic()
    for _ in range(connections):
        try:
            sock = target.stream()
        except (ConnectionError, ssl.SSLError):
            outcome.closed += 1
            continue
        sock.setblocking(False)
        held.append(sock)
        outcome.sent += 1
    for at in target.ticks():
        for sock in held[:]:
            try:
                sock.send(data[at % (len(data) - 1) :][:1])
                if not sock.recv(4096):
                    raise ConnectionResetError
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            except (ConnectionError, ssl.SSLError):
                outcome.closed += 1
                outcome.seconds = time.monotonic() - started
                sock.close()
                held.remove(sock)
        if not held:
            break
    outcome.answers["open"] = len(held)
    for sock in held:
        sock.close()
    return outcome


def no_handshake(target: Target) -> Outcome:
    """Connections to a port that wants a handshake, and not a byte of it."""
    plain = replace(target, transport="tcp")
    outcome = Outcome()
    started = time.monotonic()
    held = [plain.stream() for _ in range(100)]
    outcome.sent = len(held)
    until_closed(held, outcome, target.seconds)
    outcome.seconds = time.monotonic() - started
    return outcome


def connects(target: Target) -> Outcome:
    """Connections, one after the other, that stay open and say nothing."""
    outcome = Outcome()
    held = []
    for _ in target.ticks():
        try:
            held.append(target.stream())
            outcome.sent += 1
        except OSError:
            outcome.closed += 1
    until_closed(held, outcome, seconds=0.5)
    return outcome


def unread(target: Target, connections: int = 8) -> Outcome:
    """Peers that ask, with requests whose answers are as long as they are, and read nothing."""
    outcome = Outcome()
    vias = f"Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{'x' * 30_000}\r\n"
    held = [target.stream(receive_buffer=4096) for _ in range(connections)]
    for sock in held:
        sock.settimeout(0.01)
    end = time.monotonic() + target.seconds
    message = target.framed(request(target, target.user, vias, method="OPTIONS"))
    at = dict.fromkeys(held, 0)
    while held and time.monotonic() < end:
        for sock in held[:]:
            try:
                at[sock] += sock.send(message[at[sock] :])
                if at[sock] == len(message):
                    at[sock] = 0
                    outcome.sent += 1
            except (BlockingIOError, TimeoutError, ssl.SSLWantWriteError):
                continue
            except (ConnectionError, ssl.SSLError):
                outcome.closed += 1
                held.remove(sock)
                sock.close()
    outcome.answers["open"] = len(held)
    for sock in held:
        sock.close()
    return outcome


ATTACKS: dict[str, Callable[[Target], Outcome]] = {
    "huge_length": huge_length,
    "many_headers": many_headers,
    "long_header": long_header,
    "flood": flood,
    "bursts": bursts,
    "unknown_users": unknown_users,
    "malformed": malformed,
    "invites": invites,
    "stray_answers": stray_answers,
    "answers_481": lambda target: answers(target, "481"),
    "answers_408": lambda target: answers(target, "408"),
    "answers_503": lambda target: answers(target, "503"),
    "answers_never": lambda target: answers(target, None),
    "fetches_never": lambda target: answers(target, None, expires=0, then=8.5),  # longer than 0.5 + 1 + 2 + 4
    "slow_loris": slow_loris,
    "no_handshake": no_handshake,
    "connects": connects,
    "unread": unread,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attack", choices=ATTACKS)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("transport", choices=("udp", "tcp", "tls", "ws"))
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rate", type=int, default=200, help="messages or connections a second")
    parser.add_argument("--user", default="alice")
    parser.add_argument("--source")
    given = parser.parse_args()
    target = Target(given.host, given.port, given.transport, given.seconds, given.rate, given.user, given.source)
    outcome = ATTACKS[given.attack](target)
    facts = {
        "sent": outcome.sent, "closed": outcome.closed, "answers": dict(outcome.answers),
        "retry_after": sorted(outcome.retry_after), "seconds": outcome.seconds,
    }  # fmt: skip
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
