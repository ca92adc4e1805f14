"""What cannot be sent or delivered over UDP (RFC 3261 §18.4)."""

import asyncio
import socket
from typing import Any

import pytest

from gitops_profile.phone import SubscriberSettings, open_phone
from gitops_profile.sip import Flow, NotifyAnswered
from gitops_profile.transport import udp
from gitops_profile.transport.address import destination_of, peer_of
from gitops_profile.transport.udp import UDPTransport
from tests.conftest import Bound
from tests.transport.lab import Lab, eventually, options


def notify(branch: str, size: int = 0) -> bytes:
    return f"NOTIFY sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x;branch={branch};rport\r\n\r\n".encode() + bytes(size)


class Failures:
    def __init__(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[bytes, Flow]] = []
        monkeypatch.setattr(lab.notifier, "transport_failed", lambda data, flow, *, now: self.seen.append((data, flow)))


def nobody(family: socket.AddressFamily, host: str) -> int:
    """A port of which nobody listens."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
async def test_a_port_that_nobody_listens_at_is_a_failure(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, host: str, family: socket.AddressFamily
) -> None:
    failures = Failures(lab, monkeypatch)
    local = (host, lab.port if family == socket.AF_INET else lab.port6)
    flow = Flow("udp", local, (host, nobody(family, host)))
    lab.endpoint.send(notify("n"), flow)
    await eventually(lambda: failures.seen)
    assert failures.seen == [(notify("n"), flow)]


async def test_the_beginning_of_a_long_datagram_is_enough_to_know_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = Failures(lab, monkeypatch)
    flow = Flow("udp", ("127.0.0.1", lab.port), ("127.0.0.1", nobody(socket.AF_INET, "127.0.0.1")))
    lab.endpoint.send(notify("long", 5000), flow)
    await eventually(lambda: failures.seen)
    assert b";branch=long;" in failures.seen[0][0] and notify("long", 5000).startswith(failures.seen[0][0])


async def test_the_error_of_one_phone_is_not_the_error_of_the_next(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """ICMP about one datagram makes the kernel fail the next system call on the socket, whatever that is for."""
    failures = Failures(lab, monkeypatch)
    gone = Flow("udp", ("127.0.0.1", lab.port), ("127.0.0.1", nobody(socket.AF_INET, "127.0.0.1")))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        here = Flow("udp", gone.local, sock.getsockname())
        for number in range(100):
            lab.endpoint.send(notify(f"gone{number}"), gone)
            lab.endpoint.send(notify(f"here{number}"), here)
        got = [await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 4096), 5) for _ in range(100)]
        assert got == [notify(f"here{number}") for number in range(100)]
        await eventually(lambda: len(failures.seen) == 100)
        assert {flow.remote for _, flow in failures.seen} == {gone.remote}
        await asyncio.get_running_loop().sock_sendto(sock, options(transport="UDP"), gone.local)
        answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 4096), 5)
        assert answer.startswith(b"SIP/2.0 200")


async def test_a_datagram_that_is_too_long_is_a_failure(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = Failures(lab, monkeypatch)
    flow = Flow("udp", ("127.0.0.1", lab.port), ("127.0.0.1", 9))
    lab.endpoint.send(notify("long", 70_000), flow)
    assert failures.seen == []  # never while the caller is still sending
    await eventually(lambda: failures.seen)
    assert failures.seen == [(notify("long", 70_000), flow)]


async def test_a_phone_that_is_gone_keeps_its_subscription_and_is_marked(lab: Lab) -> None:
    """RFC 3261 §18.4 makes it a 503, and RFC 6665 §4.2.2 keeps the subscription: the phone may be starting again."""
    settings = SubscriberSettings("sip:alice@example.com")
    async with open_phone(settings, ("127.0.0.1", lab.port)) as phone:
        await phone.subscribe()
        await eventually(lambda: any(s.acknowledged_etag for s in lab.notifier.subscriptions()))
    lab.package.documents["alice"] = b"<b/>"
    lab.endpoint.state_changed(["alice"])
    await eventually(lambda: any(isinstance(e, NotifyAnswered) and e.status == 503 for e in lab.happened))
    (subscription,) = lab.notifier.subscriptions()
    assert subscription.delivery == "faulted"


class FullSocket(socket.socket):
    """A socket whose buffer is full for the first tries."""

    tries = 3

    def sendto(self, *arguments: Any) -> int:
        if self.tries:
            self.tries -= 1
            raise BlockingIOError
        return super().sendto(*arguments)


class LinkSocket(socket.socket):
    """A socket that one phone on the link of interface 3 has sent to."""

    sent: tuple[Any, ...] = ()
    waits = True

    def recvfrom(self, *_: Any) -> tuple[bytes, tuple[Any, ...]]:
        if not self.waits:
            raise BlockingIOError
        self.waits = False
        return options(), ("fe80::9", 5062, 0, 3)

    def sendto(self, *arguments: Any) -> int:
        self.sent = arguments
        return len(arguments[0])


async def test_a_link_local_phone_is_answered_on_its_link() -> None:
    """RFC 4007 §6: without the number of the interface a machine with two of them sends nowhere."""
    sock = LinkSocket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.bind(("::1", 0))
    sock.setblocking(False)
    heard: list[Flow] = []
    transport = UDPTransport(sock, lambda _, flow: heard.append(flow), lambda: None, lambda *_: None)
    transport._readable()
    transport.send(b"answer", heard[0])
    assert heard[0].remote == ("fe80::9%3", 5062) and sock.sent == (b"answer", ("fe80::9", 5062, 0, 3))
    transport.close()


@pytest.mark.parametrize(
    ("source", "peer"),
    [
        (("192.0.2.9", 5062), ("192.0.2.9", 5062)),
        (("2001:db8::9", 5062, 0, 0), ("2001:db8::9", 5062)),
        (("2001:db8::9", 5062, 0, 3), ("2001:db8::9", 5062)),
        (("febf::9", 5062, 0, 3), ("febf::9%3", 5062)),
        (("fec0::9", 5062, 0, 3), ("fec0::9", 5062)),
    ],
)
def test_the_link_is_a_part_of_a_link_local_address_only(source: tuple[Any, ...], peer: tuple[str, int]) -> None:
    assert peer_of(source) == peer and destination_of(peer)[:2] == source[:2]


async def test_datagrams_wait_for_a_full_socket_in_their_order_and_within_a_bound(
    bound: Bound,
) -> None:
    bound(udp, "MAX_QUEUED", 5)
    sender = FullSocket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))
    sender.setblocking(False)
    failed: list[bytes] = []
    transport = UDPTransport(sender, lambda *_: None, lambda: None, lambda data, _: failed.append(data))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        flow = Flow("udp", transport.bound, sock.getsockname())
        for number in range(8):
            transport.send(notify(f"n{number}"), flow)
        loop = asyncio.get_running_loop()
        got = [await asyncio.wait_for(loop.sock_recv(sock, 4096), 5) for _ in range(5)]
        assert got == [notify(f"n{number}") for number in range(5)]  # the rest is for UDP's own repetition
        transport.send(notify("after"), flow)
        assert await asyncio.wait_for(loop.sock_recv(sock, 4096), 5) == notify("after")
    assert failed == []
    transport.close()


@pytest.mark.parametrize(("size", "most"), [(100, 64), (1000, 11)])
async def test_one_turn_reads_so_many_datagrams_and_so_many_bytes(size: int, most: int, bound: Bound) -> None:
    bound(udp, "BURST_BYTES", 10_000)
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.setblocking(False)
    turns = [0]
    transport = UDPTransport(
        receiver, lambda *_: turns.append(turns.pop() + 1), lambda: turns.append(0), lambda *_: None
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(100):
            sock.sendto(bytes(size), transport.bound)
    await eventually(lambda: sum(turns) == 100)
    assert max(turns) == most
    transport.close()


@pytest.mark.parametrize(
    ("listen", "phone", "asked"),
    [
        ("udp:0.0.0.0:0", "127.0.0.3", "127.0.0.2"),
        ("udp:0.0.0.0:0", "127.0.0.1", "127.0.0.9"),
        ("udp:[::]:0", "::1", "::1"),
    ],
)
async def test_an_answer_comes_from_the_address_that_was_asked(listen: str, phone: str, asked: str) -> None:
    """Checklist rows 28 and 34: RFC 3581 §4, also for a listener of all addresses."""
    family = socket.AF_INET6 if ":" in phone else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((phone, 0))
        async with Lab(listen=(listen,)) as lab:
            sock.connect((asked, lab.port))  # so that nothing else is heard
            loop = asyncio.get_running_loop()
            port = sock.getsockname()[1]
            host = f"[{phone}]" if ":" in phone else phone
            lines = [
                "SUBSCRIBE sip:alice@example.com SIP/2.0",
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKw;rport",
                "From: <sip:alice@example.com>;tag=a",
                "To: <sip:alice@example.com>",
                "Call-ID: wild",
                "CSeq: 1 SUBSCRIBE",
                f"Contact: <sip:alice@{host}:{port}>",
                "Event: ua-profile",
                "Expires: 600",
            ]
            await loop.sock_sendall(sock, ("\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode())
            async with asyncio.timeout(5):
                answer, notify = await loop.sock_recv(sock, 65535), await loop.sock_recv(sock, 65535)
            ours = f"[{asked}]:{lab.port}" if ":" in asked else f"{asked}:{lab.port}"
            assert answer.startswith(b"SIP/2.0 200 ") and f"Contact: <sip:{ours}".encode() in answer
            assert notify.startswith(b"NOTIFY ") and f"Via: SIP/2.0/UDP {ours};".encode() in notify
