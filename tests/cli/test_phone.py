"""`phone`: how it ends."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_profile.cli import phone
from gitops_profile.cli.output import Format
from gitops_profile.phone import SubscriberSettings
from gitops_profile.phone.reply import build_reply
from gitops_profile.sip.syntax import Request, parse_message

from .command import run


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        yield made


async def _interrupted(server: socket.socket, *, answers: bool) -> list[str]:
    """Ctrl-C once a SUBSCRIBE has come, which is answered or not; the Expires of all that came."""
    loop, came = asyncio.get_running_loop(), []
    where = ("udp", *server.getsockname())
    running = loop.create_task(
        phone._run(SubscriberSettings("sip:alice@example.com", 3600), where, None, None, Format.TEXT)
    )
    async with asyncio.timeout(10):
        while not running.done():
            receiving = loop.create_task(loop.sock_recvfrom(server, 65535))
            await asyncio.wait([receiving, running], return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                receiving.cancel()
                break
            data, address = receiving.result()
            request = parse_message(data)
            assert isinstance(request, Request)
            came.append(request.headers.get("expires") or "")
            if len(came) == 1:
                if answers:
                    reply = build_reply(request, 200, "OK", ("Expires", "3600"))
                    await loop.sock_sendto(server, reply, address)
                    await asyncio.sleep(0.1)
                os.kill(os.getpid(), signal.SIGINT)
        assert await running is False
    return came


async def test_ctrl_c_ends_it_at_once_where_nobody_has_answered(server: socket.socket) -> None:
    assert set(await _interrupted(server, answers=False)) == {"3600"}


async def test_a_server_that_has_gone_is_not_waited_for_when_it_is_to_end(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(phone, "GOODBYE", 0.2)
    assert (await _interrupted(server, answers=True))[-1] == "0"
    assert "no answer to the unsubscription" in capsys.readouterr().err


@pytest.mark.parametrize(
    "server", ["127.0.0.1", "127.0.0.1:", ":5060", "127.0.0.1:0", "127.0.0.1:65536", "tcp:[::1]:99999"]
)
def test_where_the_server_is_has_an_address_and_a_port(tmp_path: Path, server: str) -> None:
    status, _, told = run(tmp_path, "phone", "alice@example.com", "--server", server)
    assert status == 2 and told.startswith(f"gitops-profile: --server {server!r}: write it as ADDRESS:PORT")
