"""Ports of 127.0.0.1 that nobody else gets while a test has them: not the kernel's to give, nor another worker's."""

import os
import random
import socket
from itertools import cycle

_FIRST, _SHARE, _SHARES = 10_000, 2_600, 8
"""Below those that the kernel gives away; each worker of pytest has a share of its own."""
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
_start = random.SystemRandom().randrange(_SHARE)
_own = cycle(_FIRST + _SHARE * _WORKER + (_start + number) % _SHARE for number in range(_SHARE))


def own_port() -> int:
    """One that neither TCP nor UDP has now, and that is not given again for a long time."""
    for _ in range(_SHARE):
        port = next(_own)
        with socket.socket() as streams, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            try:
                streams.bind(("127.0.0.1", port))
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")


def is_taken(port: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> bool:
    """Whether somebody has it."""
    with socket.socket(type=kind) as sock:
        if kind == socket.SOCK_STREAM:  # what is left of a connection does not count
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
