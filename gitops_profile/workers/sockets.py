"""The listeners, once for each worker: a UDP port as many sockets, a stream listener as one that all accept from."""

import socket
from collections.abc import Iterable

from gitops_profile.transport import ListenAddress, ListenError

Bound = list[tuple[ListenAddress, socket.socket]]


def for_workers(bound: Bound, count: int) -> list[Bound]:
    """What `bind_all` bound, and as much for each of the other workers; raises ListenError.

    A UDP socket lets others beside it only after it was bound alone: so a port that somebody else has, another server
    of ours above all, is an error and not a port that is shared with it. The kernel then gives each peer's datagrams,
    by addresses and ports, always to the same socket. All of them are kept here: what comes for a worker that is down
    waits for the next one.
    """
    listeners = [bound]
    try:
        for _ in range(1, count):
            listeners.append([])
            for address, sock in bound:
                # Two, for as many shares as `Owners` gives it of what does not come by a socket of its own.
                for _ in range(2 if address.transport == "udp" else 1):
                    listeners[-1].append((address, _another(address, sock)))
    except ListenError:
        close_all(listeners)
        raise
    return listeners


def close_all(listeners: Iterable[Bound]) -> None:
    """Close them, each as often as it is there."""
    for bound in listeners:
        for _, sock in bound:
            sock.close()


def _another(address: ListenAddress, sock: socket.socket) -> socket.socket:
    if address.transport != "udp":
        return sock.dup()
    other = socket.socket(sock.family, socket.SOCK_DGRAM)
    try:
        for one in (sock, other):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if other.family == socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.setblocking(False)
        other.bind((address.host, address.port))
    except OSError as error:
        other.close()
        raise ListenError(f"cannot listen on {address} with several workers: {error.strerror}") from error
    return other
