"""Ports for programs that cannot let the kernel choose one."""

from tests.ports import own_port


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that neither TCP nor UDP has now."""
    return [own_port() for _ in range(count)]
