"""What a hostile peer does, each bounded in count and time: `python -m tests.system.attacks NAME HOST PORT TRANSPORT …`

A process of its own, so that its work is not the work of whoever looks at the server meanwhile; the standard library
only and nothing of the package, so that it is an independent party and runs in a network namespace as well. It prints
one line of JSON: what the server answered.
"""

import argparse
import json
import os
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from .hostile import BRANCHES, HUGE, MOST, Outcome, Target, drain, request, until_closed

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
