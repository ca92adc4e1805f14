"""A NOTIFY to a name goes where RFC 3263 leads, on real sockets."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitops_profile.sip import Flow, OpenAccess
from gitops_profile.transport import LateResolver
from gitops_profile.transport.hosts import HostsFile
from tests.transport.lab import Lab


class Edge(OpenAccess):
    """Every source is an edge proxy of ours, so that its Contact may be followed."""

    def trusts(self, flow: Flow) -> bool:
        return True


@contextmanager
def phone_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


def subscribe(source: socket.socket, contact: str) -> bytes:
    port = source.getsockname()[1]
    lines = [
        "SUBSCRIBE sip:alice@example.com SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK-{port};rport",
        "From: <sip:alice@example.com>;tag=a",
        "To: <sip:alice@example.com>",
        f"Call-ID: naming-{port}",
        "CSeq: 1 SUBSCRIBE",
        f"Contact: <{contact}>",
        "Event: ua-profile",
        "Expires: 600",
    ]
    return ("\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode()


def resolver(hosts: Path, names: str) -> LateResolver:
    hosts.write_text(names)
    return LateResolver(allow_loopback=True, nameservers=["127.0.0.1"], port=9, hosts=HostsFile(hosts))


async def test_a_contact_with_a_name_is_looked_up_when_it_may_be_followed(tmp_path: Path) -> None:
    names = resolver(tmp_path / "hosts", "127.0.0.1 phone.test.example\n")
    with phone_socket() as source, phone_socket() as contact:
        async with Lab(access=Edge(), resolver=names) as lab:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(source, ("127.0.0.1", lab.port))
            uri = f"sip:alice@phone.test.example:{contact.getsockname()[1]}"
            await loop.sock_sendall(source, subscribe(source, uri))
            async with asyncio.timeout(5):
                assert (await loop.sock_recv(source, 65535)).startswith(b"SIP/2.0 200 ")
                notify = await loop.sock_recv(contact, 65535)
            assert notify.startswith(f"NOTIFY {uri} SIP/2.0\r\n".encode()) and notify.endswith(b"<a/>")


async def test_a_name_that_leads_nowhere_leaves_the_path_of_the_subscribe(tmp_path: Path) -> None:
    with phone_socket() as source:
        async with Lab(access=Edge(), resolver=resolver(tmp_path / "hosts", "")) as lab:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(source, ("127.0.0.1", lab.port))
            await loop.sock_sendall(source, subscribe(source, "sip:alice@nowhere.invalid:5060"))
            async with asyncio.timeout(8):
                assert (await loop.sock_recv(source, 65535)).startswith(b"SIP/2.0 200 ")
                assert (await loop.sock_recv(source, 65535)).endswith(b"<a/>")
