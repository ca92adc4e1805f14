"""What peers leave unread is bounded for each, and for all together."""

import asyncio
import socket

import pytest

from gitops_profile.transport import Reason, StreamLimits

from .lab import Lab, eventually, options


class Deaf:
    """A peer that asks and never reads."""

    def __init__(self, port: int) -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setblocking(False)
        self.gone = False
        self._rest = b""

    async def ask(self, seconds: float = 0.05) -> None:
        """Send for a while, what the server takes."""
        question = options(extra=f"Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{'x' * 20_000}\r\n")
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end and not self.gone:
            self._rest = self._rest or question
            try:
                self._rest = self._rest[self.sock.send(self._rest) :]
            except BlockingIOError:
                await asyncio.sleep(0.005)
            except ConnectionError:
                self.gone = True


@pytest.mark.parametrize(
    ("limits", "cut"),
    [
        (StreamLimits(unread_bytes=1 << 20), 4),
        (StreamLimits(unread_bytes=64 << 20, unread_together=2 << 20), 3),
    ],
    ids=["of one", "of all"],
)
async def test_who_leaves_too_much_unread_is_cut_off(limits: StreamLimits, cut: int) -> None:
    async with Lab(limits) as lab:
        peers = [Deaf(lab.ports["tcp"]) for _ in range(4)]
        for _ in range(200):
            await asyncio.gather(*(peer.ask() for peer in peers))
            if len(lab.refused) >= cut:
                break
        assert [refused.reason for refused in lab.refused] == [Reason.UNREAD] * len(lab.refused)
        assert len(lab.refused) >= cut
        await eventually(lambda: lab.connections == 4 - len(lab.refused))
        # Somebody who reads is served as ever.
        reader, writer = await asyncio.open_connection("127.0.0.1", lab.ports["tcp"])
        writer.write(options())
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"SIP/2.0 200")
        writer.close()
        for peer in peers:
            peer.sock.close()
