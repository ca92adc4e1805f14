"""A multicast group on one interface: heard on the group's port, answered from an address of our own.

Whoever else has the port keeps it: the socket is bound to the group's address, and where another process shares its
port with nobody, what arrives for the group is read beside it, from a raw socket. What is sent never leaves the
network of the interface: no gateway is used, whatever the sender's address claims to be.
"""

import errno
import ipaddress
import logging
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import ifaddr

from gitops_profile.sip import Flow

from .udp import enlarge

logger = logging.getLogger(__name__)

BURST = 64
"""Datagrams that are read in one turn of the loop."""
MAX_DATAGRAM = 65535
_LINK_LOCAL = ipaddress.IPv4Network("169.254.0.0/16")
_IP_MULTICAST_ALL = getattr(socket, "IP_MULTICAST_ALL", 49)
_IP_UNICAST_IF = 50
DISCARD = 9
"""The port whose datagrams are for nobody (RFC 863)."""


class InterfaceUnusable(Exception):
    """An interface cannot be listened on now; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface with its IPv4 addresses."""

    name: str
    index: int
    addresses: tuple[ipaddress.IPv4Interface, ...]
    """One at least, in the order of the system."""

    @property
    def address(self) -> str:
        """The first of its addresses."""
        return str(self.addresses[0].ip)

    def is_near(self, address: str) -> bool:
        """Whether an address is on one of the interface's own networks, or link-local; and is a machine's."""
        try:
            one = ipaddress.IPv4Address(address)
        except ValueError:
            return False
        networks = [own.network for own in self.addresses]
        if any(one in (net.network_address, net.broadcast_address) for net in networks if net.prefixlen < 31):
            return False
        return one in _LINK_LOCAL or any(one in net for net in networks)

    def address_towards(self, address: str) -> str:
        """The own address from which somebody is answered: that of his network, else the first."""
        one = ipaddress.IPv4Address(address)
        return next((str(own.ip) for own in self.addresses if one in own.network), self.address)


def find_interface(name: str) -> Interface:
    """The interface of this name as it is now; raises InterfaceUnusable."""
    known = list(ifaddr.get_adapters())
    for adapter in known:
        if adapter.name != name:
            continue
        addresses = tuple(
            ipaddress.IPv4Interface((ip.ip, ip.network_prefix)) for ip in adapter.ips if isinstance(ip.ip, str)
        )
        if addresses:
            return Interface(name, _index(name), addresses)
        raise InterfaceUnusable(f"{name} has no IPv4 address")
    names = ", ".join(sorted({str(adapter.name) for adapter in known}))
    raise InterfaceUnusable(f"there is no interface {name}; there are {names}")


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:  # it went away just now
        raise InterfaceUnusable(f"there is no interface {name} any more") from error


def hear_group(group: str, port: int, interface: Interface, beside: Iterable[socket.socket] = ()) -> socket.socket:
    """A socket on which datagrams to `group` that arrive on the interface are read; raises InterfaceUnusable.

    `beside` are sockets of ours that may have the same port: they share it for this moment only, for a second server
    on it must still be told that it is taken.
    """
    if sys.platform != "linux":
        raise InterfaceUnusable("plug and play needs Linux: elsewhere a group is heard on all interfaces or none")
    sharing = list(beside)
    for one in sharing:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        # Never SO_REUSEPORT: Linux 6.18 then gives what came on one interface to the socket of another.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((group, port))
    except OSError as error:
        sock.close()
        if error.errno != errno.EADDRINUSE:
            raise InterfaceUnusable(f"{group}:{port} on {interface.name}: {error.strerror}") from error
        sock = _raw(group, port, interface)
    finally:
        for one in sharing:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    try:
        membership = struct.pack("=4s4si", socket.inet_aton(group), socket.inet_aton("0.0.0.0"), interface.index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        # Else what arrives on one interface is heard by the sockets of all others too.
        sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        enlarge(sock)  # a whole building asks at once after a power cut
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise InterfaceUnusable(f"{group} cannot be joined on {interface.name}: {error.strerror}") from error
    return sock


def _raw(group: str, port: int, interface: Interface) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        sock.bind((group, 0))
    except OSError as error:
        raise InterfaceUnusable(
            f"port {port} is another process's, which shares it with nobody, and reading beside it needs "
            f"CAP_NET_RAW: {error.strerror}"
        ) from error
    logger.info("multicast is read beside another process group=%s port=%d interface=%s", group, port, interface.name)
    return sock


class GroupListener:
    """Hears a group on one interface, and sends by sockets bound to the interface's own addresses."""

    def __init__(
        self,
        heard: socket.socket,
        port: int,
        interface: Interface,
        add_reader: Callable[[socket.socket, Callable[[], None]], object],
        remove_reader: Callable[[socket.socket], object],
        on_message: Callable[[bytes, Flow], None],
        on_burst: Callable[[], None],
    ) -> None:
        """Raises InterfaceUnusable when nothing can be sent from the interface's address."""
        self.interface = interface
        self._heard = heard
        self._port = port
        self._is_raw = heard.type == socket.SOCK_RAW
        self._remove_reader = remove_reader
        self._on_message = on_message
        self._on_burst = on_burst
        self._senders: dict[str, socket.socket] = {}
        try:
            for own in interface.addresses:
                self._senders[str(own.ip)] = _sender(str(own.ip), interface)
        except InterfaceUnusable:
            for sender in self._senders.values():
                sender.close()
            raise
        self._local: dict[str, tuple[str, int]] = {
            address: sender.getsockname()[:2] for address, sender in self._senders.items()
        }
        self._own = frozenset(self._local.values())
        for sock in (heard, *self._senders.values()):
            add_reader(sock, partial(self._readable, sock))

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one datagram from `flow.local`; one that cannot leave is lost, as on any network."""
        try:
            self._senders[flow.local[0]].sendto(data, flow.remote)
        except OSError as error:
            logger.debug("pnp send to %s failed: %s", flow.remote[0], error)

    def look_for(self, address: str) -> None:
        """Make the system find out which MAC has an address: hearing somebody does not, sending to him does."""
        self.send(b"", Flow("udp", (self.interface.address_towards(address), 0), (address, DISCARD)))

    def close(self) -> None:
        """Leave the group."""
        for sock in (self._heard, *self._senders.values()):
            self._remove_reader(sock)
            sock.close()

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(BURST):
            try:
                data, (host, port, *_) = sock.recvfrom(MAX_DATAGRAM)
            except OSError:  # nothing more, or ICMP about something that was sent before
                break
            if self._is_raw and sock is self._heard:
                unpacked = _payload(data, self._port)
                if unpacked is None:
                    continue
                port, data = unpacked
            # Phones of this machine's own address are played; what we have sent ourselves is not answered.
            if port and (host, port) not in self._own:
                self._on_message(data, Flow("udp", self._local[self.interface.address_towards(host)], (host, port)))
        self._on_burst()


def _sender(address: str, interface: Interface) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind((address, 0))
        sock.setsockopt(socket.IPPROTO_IP, _IP_UNICAST_IF, struct.pack("!I", interface.index))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
    except OSError as error:
        sock.close()
        raise InterfaceUnusable(f"{address} on {interface.name}: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def _payload(packet: bytes, port: int) -> tuple[int, bytes] | None:
    """Source port and content of an IPv4 UDP packet to `port`; None for any other."""
    head = 4 * (packet[0] & 0x0F) if packet else 0
    if len(packet) < head + 8 or head < 20:
        return None
    source, destination, length, _ = struct.unpack_from("!4H", packet, head)
    if destination != port or length < 8 or head + length > len(packet):
        return None
    return source, packet[head + 8 : head + length]
