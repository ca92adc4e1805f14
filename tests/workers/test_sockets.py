"""The listeners of several workers: one port, each peer always at the same one, and no second server on it."""

import socket
from contextlib import suppress

import pytest

from gitops_profile.transport import ListenAddress, ListenError, bind_all
from gitops_profile.workers import close_all, for_workers


def bound(*texts: str) -> list[tuple[ListenAddress, socket.socket]]:
    return bind_all(map(ListenAddress.parse, texts))


def test_datagrams_of_one_peer_come_to_one_worker_and_those_of_many_to_all() -> None:
    listeners = for_workers(bound("udp:127.0.0.1:0"), 3)
    try:
        ((address, _),) = listeners[0]
        seen: dict[int, set[int]] = {}
        for _ in range(120):  # the first worker has one of five sockets
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                for _ in range(2):
                    peer.sendto(b"x", (address.host, address.port))
        for number, some in enumerate(listeners):
            for _, sock in some:
                with suppress(BlockingIOError):
                    while True:
                        seen.setdefault(sock.recvfrom(10)[1][1], set()).add(number)
        assert all(len(workers) == 1 for workers in seen.values())
        assert set.union(*seen.values()) == {0, 1, 2}
    finally:
        close_all(listeners)


@pytest.mark.parametrize("text", ["udp:127.0.0.1:0", "tcp:127.0.0.1:0", "udp:[::1]:0"])
def test_a_second_server_of_ours_is_told_that_the_port_is_taken(text: str) -> None:
    listeners = for_workers(bound(text), 2)
    try:
        ((address, sock),) = listeners[0]
        if address.transport == "tcp":
            sock.listen()
        with pytest.raises(ListenError, match="in use by another program"):
            for_workers(bound(str(address)), 2)
    finally:
        close_all(listeners)


def test_one_worker_has_what_it_bound() -> None:
    own = bound("udp:127.0.0.1:0", "tcp:127.0.0.1:0")
    listeners = for_workers(own, 1)
    assert listeners == [own]
    assert not own[0][1].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
    close_all(listeners)


def test_a_stream_listener_is_one_that_all_accept_from() -> None:
    listeners = for_workers(bound("tcp:127.0.0.1:0"), 2)
    ((address, first),), ((_, second),) = listeners
    try:
        first.listen()
        second.listen()
        with socket.create_connection((address.host, address.port)):
            with pytest.raises(BlockingIOError):
                for sock in (first, second, first):
                    sock.accept()[0].close()  # whoever is first has it
    finally:
        close_all(listeners)
