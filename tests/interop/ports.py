"""Ports for programs that cannot let the kernel choose one: Kamailio, and sipp, of which two would take the same."""

import socket


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that neither TCP nor UDP has now."""
    held: list[socket.socket] = []
    try:
        while len(held) < 2 * count:
            tcp = socket.socket()
            held.append(tcp)
            tcp.bind(("127.0.0.1", 0))
            udp = socket.socket(type=socket.SOCK_DGRAM)
            held.append(udp)
            udp.bind(tcp.getsockname())
        return [one.getsockname()[1] for one in held[::2]]
    finally:
        for one in held:
            one.close()
