"""Who else sends by the notifier's sockets: its answers and its failures reach it, and nothing else does."""

import asyncio
import logging
import socket

import pytest

from gitops_profile.sip.syntax import Response
from tests.transport.lab import Lab, eventually, options


class Companion:
    """Remembers; `fails` like a bug would."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.failed: list[bytes] = []
        self.fails = False

    def receive_response(self, response: Response) -> None:
        self.responses.append(response)
        if self.fails:
            raise RuntimeError("a bug")

    def transport_failed(self, data: bytes) -> None:
        self.failed.append(data)


ANSWER = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKours\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 NOTIFY\r\nContent-Length: 0\r\n\r\n"
)


async def exchange(lab: Lab, data: bytes) -> None:
    """Send it by UDP, and wait until the server has answered something that came after it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(sock, data, ("127.0.0.1", lab.port))
        await loop.sock_sendto(sock, options(f"after{sock.getsockname()[1]}", "UDP"), ("127.0.0.1", lab.port))
        async with asyncio.timeout(2):
            assert (await loop.sock_recv(sock, 4096)).startswith(b"SIP/2.0 200")


async def test_a_response_to_nothing_of_the_notifiers_is_handed_over_and_without_a_companion_dropped(lab: Lab) -> None:
    await exchange(lab, ANSWER)
    assert lab.notifier.strays == []
    lab.endpoint.companion = companion = Companion()
    await exchange(lab, ANSWER)
    assert [(response.status, response.headers.get("call-id")) for response in companion.responses] == [(200, "x")]


async def test_a_bug_of_the_companion_ends_nothing(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.endpoint.companion = companion = Companion()
    companion.fails = True
    with caplog.at_level(logging.ERROR):
        await exchange(lab, ANSWER)
        await exchange(lab, ANSWER)
    assert len(companion.responses) == 2 and "a response could not be handled status=200" in caplog.text


async def test_what_cannot_be_sent_is_told(lab: Lab) -> None:
    lab.endpoint.companion = companion = Companion()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens
        flow = lab.endpoint.flow_to("tcp", held.getsockname())
        assert flow is not None
        lab.endpoint.send(b"NOTIFY sip:x SIP/2.0\r\n\r\n", flow)
        await eventually(lambda: companion.failed == [b"NOTIFY sip:x SIP/2.0\r\n\r\n"])


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", "port"), ("::1", "port6")])
async def test_a_flow_to_a_stranger_leaves_by_the_listener_that_reaches_it(lab: Lab, host: str, port: str) -> None:
    flow = lab.endpoint.flow_to("udp", (host, 5099))
    assert flow is not None and flow.local == (host, getattr(lab, port)) and flow.remote == (host, 5099)
    assert lab.endpoint.flow_to("ws", (host, 5099)) is None


async def test_a_listener_bound_to_all_addresses_says_the_one_that_the_peer_sees() -> None:
    async with Lab(listen=("udp:0.0.0.0:0",)) as lab:
        flow = lab.endpoint.flow_to("udp", ("127.0.0.1", 5099))
        assert flow is not None and flow.local == ("127.0.0.1", lab.port)
        assert lab.endpoint.flow_to("udp", ("::1", 5099)) is None
