"""The webhook receiver over a real socket: bounds, answers, and what it does not do."""

import asyncio
import gzip
import hashlib
import hmac
import json
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from urllib.parse import urlencode

import aiohttp
import pytest

from gitops_profile.forge import Secrets, read_secrets
from gitops_profile.http import HTTPListener, WebhookReceived, WebhookReceiver
from gitops_profile.http import webhook as webhook

SECRET = "a secret of the webhook"
JSON = {"Content-Type": "application/json"}
PUSH = json.dumps({"ref": "refs/heads/main"}).encode()


@dataclass
class Receiver:
    """A receiver on a socket, and what it did."""

    nudges: int = 0
    received: list[WebhookReceived] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    secrets: Secrets = field(default_factory=lambda: read_secrets(SECRET))
    now: float = 1000.0
    proxies: list[IPv4Network] = field(default_factory=list)
    url: str = ""
    port: int = 0

    async def start(self) -> None:
        receiver = WebhookReceiver(
            "/hooks/git", "main", secrets=lambda: self.secrets, is_new=self.is_new, nudge=self.nudge,
            on_received=self.received.append, clock=lambda: self.now, proxies=self.proxies,
        )  # fmt: skip
        self.listener = HTTPListener(receiver.routes())
        _, self.port = await self.listener.listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.port}/hooks/git"

    async def is_new(self, identity: str) -> bool:
        known = identity in self.seen
        self.seen.add(identity)
        return not known

    def nudge(self) -> None:
        self.nudges += 1

    async def post(self, data: object, headers: dict[str, str], method: str = "POST") -> tuple[int, str]:
        async with aiohttp.ClientSession() as session:
            async with session.request(method, self.url, data=data, headers=headers) as answer:
                return answer.status, await answer.text()

    @property
    def last(self) -> tuple[str, str, str]:
        one = self.received[-1]
        return one.provider, one.result, one.reason


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.start()
    yield made
    await made.listener.close()


def signed(body: bytes, event: str = "push", **more: str) -> dict[str, str]:
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return JSON | {"X-GitHub-Event": event, "X-Hub-Signature-256": f"sha256={mac}"} | more


async def test_a_push_of_the_ref_nudges_once(receiver: Receiver) -> None:
    assert await receiver.post(PUSH, signed(PUSH)) == (202, "looking\n")
    assert (receiver.nudges, receiver.last) == (1, ("github", "fetch", ""))
    assert await receiver.post(PUSH, signed(PUSH)) == (200, "seen already\n")
    assert (receiver.nudges, receiver.last) == (1, ("github", "replayed", ""))


async def test_a_form_is_as_good(receiver: Receiver) -> None:
    body = urlencode({"payload": json.dumps({"ref": "refs/heads/other"})}).encode()
    headers = signed(body) | {"Content-Type": "application/x-www-form-urlencoded"}
    assert await receiver.post(body, headers) == (202, "ignored: another ref\n")
    assert receiver.nudges == 0


async def test_pings_and_other_events_nudge_nobody(receiver: Receiver) -> None:
    body = b'{"zen": "Keep it logically awesome.", "hook_id": 1}'
    assert await receiver.post(body, signed(body, "ping")) == (200, "pong\n")
    assert await receiver.post(body, signed(body, "issues")) == (202, "ignored: not a push\n")
    assert receiver.nudges == 0 and receiver.seen == set()


async def test_every_refusal_is_the_same_from_outside(receiver: Receiver) -> None:
    wrong = signed(PUSH) | {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    for headers in (JSON, wrong, JSON | {"X-Gitlab-Token": "x"}, JSON | {"webhook-signature": "v1,x"}):
        assert await receiver.post(PUSH, headers) == (403, "not accepted\n")
    assert [one.reason for one in receiver.received] == [
        "no-signature", "wrong-signature", "wrong-signature", "malformed-signature",
    ]  # fmt: skip
    assert receiver.nudges == 0


async def test_who_guesses_has_to_wait_and_others_do_not_guess_for_him(receiver: Receiver) -> None:
    for _ in range(10):
        await receiver.post(PUSH, JSON)
    status, _ = await receiver.post(PUSH, signed(PUSH))
    assert status == 429 and receiver.last[1] == "throttled"
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(b"POST /hooks/git HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 429 ")  # and the connection is over
    writer.close()
    receiver.now += 2.0
    assert (await receiver.post(PUSH, signed(PUSH)))[0] == 202


async def test_behind_a_proxy_each_client_is_counted_by_itself(receiver: Receiver) -> None:
    receiver.proxies.append(IPv4Network("127.0.0.1/32"))
    for _ in range(11):
        await receiver.post(PUSH, JSON | {"X-Forwarded-For": "192.0.2.66"})
    assert receiver.received[-1] == WebhookReceived("192.0.2.66", "", "throttled")
    assert (await receiver.post(PUSH, signed(PUSH) | {"X-Forwarded-For": "192.0.2.66, 192.0.2.1"}))[0] == 202


async def test_an_ipv6_customer_is_one_client(receiver: Receiver) -> None:
    receiver.proxies.append(IPv4Network("127.0.0.1/32"))
    for number in range(11):
        await receiver.post(PUSH, JSON | {"X-Forwarded-For": f"2001:db8:1:2::{number:x}"})
    assert receiver.received[-1] == WebhookReceived("2001:db8:1:2::a", "", "throttled")
    assert (await receiver.post(PUSH, signed(PUSH) | {"X-Forwarded-For": "2001:db8:1:3::1"}))[0] == 202


async def test_behind_a_proxy_that_names_nobody_nobody_is_blocked(receiver: Receiver) -> None:
    receiver.proxies.append(IPv4Network("127.0.0.1/32"))
    assert {(await receiver.post(PUSH, JSON))[0] for _ in range(12)} == {403}
    assert (await receiver.post(PUSH, signed(PUSH)))[0] == 202


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_methods_are_answered_405(receiver: Receiver, method: str) -> None:
    assert (await receiver.post(None, {}, method))[0] == 405


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}, {"Content-Encoding": "gzip"}]
)
async def test_other_contents_are_answered_415(receiver: Receiver, headers: dict[str, str]) -> None:
    body = gzip.compress(PUSH) if "Content-Encoding" in headers else PUSH
    assert (await receiver.post(body, signed(PUSH) | headers))[0] == 415


async def test_a_body_that_says_it_is_too_long_is_not_read(receiver: Receiver) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    head = (
        f"POST /hooks/git HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {26 << 20}\r\n\r\n"
    )
    writer.write(head.encode())
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_does_not_say_it_is_cut_off(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "MAX_BODY", 1 << 20)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(64 << 10)

    try:
        status, _ = await receiver.post(endless(), signed(b""))
    except aiohttp.ClientError:
        status = 413  # the connection was closed while the client still wrote
    assert status == 413 and receiver.last[1] == "too-large"


async def test_a_long_body_is_checked_without_being_kept(receiver: Receiver) -> None:
    body = b'{"commits": "' + b"x" * (20 << 20) + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 1 << 16):
            yield body[at : at + (1 << 16)]

    headers = signed(body)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        assert await receiver.post(chunks(), headers) == (202, "looking\n")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 4 << 20, "the client's chunks are in it too"
    assert receiver.nudges == 1


async def test_a_body_that_does_not_come_is_given_up_on(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "BODY_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in signed(PUSH).items())
    writer.write(f"POST /hooks/git HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n{head}\r\nhalf".encode())
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_breaks_off_counts_for_nothing(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in signed(PUSH).items())
    writer.write(f"POST /hooks/git HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n{head}\r\n".encode() + PUSH)
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert receiver.nudges == 0 and caplog.records == []
    assert (await receiver.post(PUSH, signed(PUSH)))[0] == 202


async def test_chunks_that_are_none_count_for_nothing(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "BODY_SECONDS", 0.2)  # aiohttp's parser leaves the handler waiting
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in signed(PUSH).items())
    writer.write(f"POST /hooks/git HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{head}\r\n".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.write(b"nonsense\r\n")
    assert b" 40" in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()
    assert receiver.nudges == 0 and caplog.records == []


async def test_only_so_many_are_read_at_once(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "AT_ONCE", 2)
    monkeypatch.setattr(webhook, "AT_ONCE_EACH", 2)
    head = "".join(f"{name}: {value}\r\n" for name, value in signed(PUSH).items())
    waiting = []
    for _ in range(2):
        _, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(f"POST /hooks/git HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n{head}\r\n".encode())
        await writer.drain()
        waiting.append(writer)
    await asyncio.sleep(0.05)
    assert (await receiver.post(PUSH, signed(PUSH)))[0] == 503
    for writer in waiting:
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert (await receiver.post(PUSH, signed(PUSH)))[0] == 202


async def test_an_empty_body_that_is_signed_is_a_reason_to_look(receiver: Receiver) -> None:
    headers = signed(b"")
    assert await receiver.post(b"", headers) == (202, "looking\n")


async def send_slowly(receiver: Receiver, source: str, headers: dict[str, str]) -> asyncio.StreamWriter:
    """A body of which half never comes."""
    _, writer = await asyncio.open_connection("127.0.0.1", receiver.port, local_addr=(source, 0))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"POST /hooks/git HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n{head}\r\nhalf".encode())
    await writer.drain()
    return writer


async def until(receiver: Receiver, *results: str) -> None:
    async with asyncio.timeout(5):
        while [one.result for one in receiver.received] != [*results]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_one_stranger_who_sends_slowly_leaves_room_for_the_forge(receiver: Receiver) -> None:
    slow = [await send_slowly(receiver, "127.0.0.66", signed(PUSH)) for _ in range(webhook.AT_ONCE)]
    await until(receiver, *["busy"] * (webhook.AT_ONCE - webhook.AT_ONCE_EACH))
    assert (await receiver.post(PUSH, signed(PUSH)))[0] == 202
    for writer in slow:
        writer.close()


@pytest.mark.parametrize("breaks_off", [False, True])
async def test_bodies_that_do_not_come_are_failures_of_who_has_shown_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, breaks_off: bool
) -> None:
    if not breaks_off:
        monkeypatch.setattr(webhook, "BODY_SECONDS", 0.05)
    token = JSON | {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": SECRET}
    for source, headers in (("127.0.0.66", signed(PUSH)), ("127.0.0.3", token)):
        receiver.received.clear()
        for number in range(1, 11):
            writer = await send_slowly(receiver, source, headers)
            if breaks_off:
                writer.close()
            await until(receiver, *["unreadable" if breaks_off else "too-slow"] * number)
            writer.close()
        (await send_slowly(receiver, source, headers)).close()
        async with asyncio.timeout(5):
            while len(receiver.received) < 11:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (receiver.last[1] == "throttled") is (source == "127.0.0.66")
    assert (await receiver.post(PUSH, signed(PUSH)))[0] == 202
