"""By what way a commit status goes to its forge."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from gitops_profile.forge import StatusRequest
from gitops_profile.http import ForgeUnreachable, StatusClient

URL = "https://git.invalid/api/v1/repos/o/r/statuses/x"


class Proxy:
    """One that has no way to anybody, and remembers what it was asked."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0

    async def heard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Proxy()
    server = await asyncio.start_server(made.heard, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


async def send(url: str = URL) -> None:
    client = StatusClient()
    try:
        with pytest.raises(ForgeUnreachable) as raised:
            await client.send(StatusRequest(url, (("Authorization", "token hush"),), b"{}"))
    finally:
        await client.close()
    assert "hush" not in str(raised.value) and "pw" not in str(raised.value)


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "127.0.0.1:{}", "http://ann:pw@127.0.0.1:{}/"])
async def test_it_goes_through_the_proxy_that_git_uses(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("https_proxy", form.format(proxy.port))
    await send()
    [head] = proxy.heads
    assert head.startswith("CONNECT git.invalid:443 ") and "hush" not in head
    assert ("Proxy-Authorization: Basic " + base64.b64encode(b"ann:pw").decode() in head) == ("@" in form)


@pytest.mark.parametrize("without", ["git.invalid", "invalid", ".invalid", "git.invalid:443", "*"])
async def test_no_proxy_names_hosts_that_are_asked_directly(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", without)
    await send()
    assert proxy.heads == []


async def test_plain_http_goes_through_no_proxy(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    await send("http://127.0.0.1:1/x")
    assert proxy.heads == []


@pytest.mark.parametrize(
    "value", ["http://ann:pw@[", "ftp://ann:pw@x", "http://", "x y", "http://ann:pw@127.0.0.1:99999"]
)
async def test_a_proxy_that_cannot_be_meant_is_a_forge_that_is_not_reached(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("https_proxy", value)
    await send()
    assert proxy.heads == []
