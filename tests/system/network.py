"""Two network namespaces with a cable between them: a network that is real, and nobody else's."""

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from tests.absent import absent

T = TypeVar("T")
SERVER, PHONES = "10.99.75.1", "10.99.75.2"
"""Addresses of the two ends."""


class Network:
    """The server's end and the phones' end."""

    def __init__(self, name: str) -> None:
        self.server, self.phones = f"{name}s", f"{name}p"
        self.interface, self.phone_interface = f"{name}0", f"{name}1"

    def build(self) -> None:
        for space in (self.server, self.phones):
            _ip("netns", "add", space)
        _ip("link", "add", self.interface, "netns", self.server, "type", "veth", "peer", "name", self.phone_interface,
            "netns", self.phones)  # fmt: skip
        for space, interface, address in (
            (self.server, self.interface, SERVER), (self.phones, self.phone_interface, PHONES),
        ):  # fmt: skip
            _ip("-n", space, "addr", "add", f"{address}/24", "dev", interface)
            _ip("-n", space, "link", "set", interface, "up")
            _ip("-n", space, "link", "set", "lo", "up")
        # More phones, at addresses of their own, and a way to the group.
        for number in range(60, 80):
            _ip("-n", self.phones, "addr", "add", f"10.99.75.{number}/24", "dev", self.phone_interface)
        _ip("-n", self.phones, "route", "add", "224.0.0.0/4", "dev", self.phone_interface)

    def remove(self) -> None:
        for space in (self.server, self.phones):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)

    def second_cable(self) -> tuple[str, str]:
        """The server's end and the phones' end of another cable, on a network of its own: 10.99.76.1 and .2."""
        ours, theirs = f"{self.interface}b", f"{self.phone_interface}b"
        _ip("link", "add", ours, "netns", self.server, "type", "veth", "peer", "name", theirs, "netns", self.phones)
        for space, interface, address in ((self.server, ours, "10.99.76.1"), (self.phones, theirs, "10.99.76.2")):
            _ip("-n", space, "addr", "add", f"{address}/24", "dev", interface)
            _ip("-n", space, "link", "set", interface, "up")
        return ours, theirs

    def ip(self, space: str, *arguments: str) -> str:
        """`ip` in a namespace; what it prints."""
        done = subprocess.run(["ip", "-n", space, *arguments], check=True, capture_output=True, text=True)
        return done.stdout

    def believe_sources(self) -> None:
        """The server's kernel lets datagrams through that its routes say come from elsewhere."""

        for name in ("all", self.interface):
            command = ["ip", "netns", "exec", self.server, "sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0"]
            subprocess.run(command, check=True, capture_output=True)

    def forge(self, source: tuple[str, int], to: tuple[str, int], payloads: list[bytes]) -> None:
        """Send datagrams that claim to come from somebody else."""

        def work() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(PHONES))
                for payload in payloads:
                    udp = struct.pack("!4H", source[1], to[1], 8 + len(payload), 0) + payload
                    head = struct.pack(
                        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 1, 17, 0,
                        socket.inet_aton(source[0]), socket.inet_aton(to[0]),
                    )  # fmt: skip
                    sock.sendto(head + udp, to)

        self.inside(self.phones, work)

    def inside(self, space: str, work: Callable[[], T]) -> T:
        """Do it in a namespace; sockets that it opens stay there."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                with open(f"/run/netns/{space}", "rb") as handle:
                    _setns(handle.fileno())
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        thread = threading.Thread(target=run)  # a namespace is a thread's
        thread.start()
        thread.join()
        return done.result()

    def phone(self, address: str, port: int) -> socket.socket:
        """A phone's UDP socket."""

        def work() -> socket.socket:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((address, port))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            sock.settimeout(5)
            return sock

        return self.inside(self.phones, work)


def _setns(descriptor: int) -> None:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, 0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """A network, or a skip; a failure when REQUIRE_PEERS=1."""
    made = Network(f"gp{os.getpid() % 100000}")
    try:
        if shutil.which("ip") is None or os.geteuid() != 0:
            raise PermissionError("ip and root are needed")
        made.build()
    except (OSError, subprocess.CalledProcessError) as error:
        made.remove()
        absent(f"no network namespaces: {error}")
    try:
        yield made
    finally:
        made.remove()
