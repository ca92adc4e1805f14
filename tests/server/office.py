"""Phones that fetch by URL, and who tells them to: the real parts but sockets, in virtual time."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

from gitops_profile.config import PushSettings
from gitops_profile.devices import How, Sighting
from gitops_profile.inventory import Device, Holding, Inventory
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import (
    NO_POLICY,
    NotifyPolicy,
    PresentityTable,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    RevisionStamp,
)
from gitops_profile.push import LineCredentials, Push, PushClient
from gitops_profile.server.owing import Owing
from gitops_profile.server.provisioned import Provisioned
from gitops_profile.server.push import Pusher
from gitops_profile.server.reach import Reach
from gitops_profile.sip import Flow, Target
from gitops_profile.sip.syntax import Request, Response, parse_message
from gitops_profile.transport import Unresolvable
from gitops_profile.workers import Subscriptions
from tests.sip.harness import FakePackage
from tests.sip.harness import Lab as NotifierLab

MAC, OTHER = "000413aabbcc", "000413aabbcd"
KEY = ProfileKey.device("example.com", MAC)
AOR = "sip:2001@example.com"
STAMP = RevisionStamp("a" * 40, "A", "C", "2026-01-01T00:00:00Z", "message")
CHALLENGE = 'WWW-Authenticate: Digest realm="x", nonce="n", qop="auth"\r\n'
TO_AOR = NotifyPolicy(aor=AOR)
DAY = 86400.0
NO_WAITS = PushSettings(settle=0, longest=0, spread=0)

Answer = Callable[[Request], int | None]


class Office:
    """A server's way of telling phones; `answer` is what they say, None for silence."""

    def __init__(self, settings: PushSettings = NO_WAITS, *, answers_anyone: bool = True, rate: float = 1e6) -> None:
        self.now = 1000.0
        self.settings, self.rate, self.answers_anyone = settings, rate, answers_anyone
        self.table = PresentityTable()
        self.notifiers = NotifierLab(package=FakePackage({str(KEY): b"<a/>"}))
        self.answer: Answer = lambda request: 200
        self.hosts = {"example.com": [Target("udp", "192.0.2.10", 5060)]}
        self.sent: list[tuple[float, Request, Flow]] = []
        self.lines = LineCredentials.parse("2001::s3cret\n")
        self.closed_until: float | None = None
        self.inventory = Inventory()
        self.start()

    def start(self) -> None:
        """As a process that takes up what is in the inventory."""
        tokens = itertools.count()
        metrics = Metrics()
        self.client = PushClient(
            lambda: f"t{self.now}-{next(tokens)}",
            lambda response, user, uri: self.lines.answer(response, user, uri, cnonce="c"),
            rate=self.rate, in_flight=100,
        )  # fmt: skip
        provisioned = Provisioned(self.table)
        self.pusher = Pusher(
            self.settings, self.table, self.inventory,
            Owing(self.table, Subscriptions(self.notifiers.notifier), lambda shown: shown.etag, provisioned.key_of),
            Reach(self.settings, self._resolve, self._flow_to, answers_anyone=self.answers_anyone),
            metrics, lambda: self.now, lambda key: self.closed_until,
        )  # fmt: skip
        self.pusher.line = self
        self.metrics = metrics

    # -- what happens ----------------------------------------------------------------------------------------------

    def write(
        self,
        version: int,
        *,
        key: ProfileKey = KEY,
        notify: NotifyPolicy = NO_POLICY,
        urgent: bool = False,
        effective_by: int | None = None,
    ) -> ProfileDocument:
        """A commit is in force."""
        document = ProfileDocument(
            key, "text/xml", f"<v>{version}</v>".encode(), "p", notify=notify, effective_by=effective_by
        )
        event = ProfileChanged if key in self.table else ProfileAdded
        self.table.apply(event(document, replace(STAMP, urgent=urgent)))
        self.pusher.changed([key])
        return document

    def see(self, how: How = How.PNP, address: str = "192.0.2.7", mac: str | None = MAC, **said: object) -> Device:
        """A phone shows itself."""
        facts = {"contact": None if how is How.GET else f"sip:{address}:5060"} | said
        device = self.inventory.see(Sighting(how, self.now, address, mac=mac, **facts))  # type: ignore[arg-type]
        assert device is not None
        self.pusher.seen(device)
        return device

    def fetch(self, key: ProfileKey = KEY, address: str = "192.0.2.7", mac: str | None = MAC, **said: object) -> Device:
        """It gets what is in force."""
        document = self.table.get(key)
        assert document is not None
        facts = {"etag": document.etag, "status": 200, "proven": True, "key": str(key)} | said
        return self.see(How.GET, address, mac, **facts)

    async def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while True:
            due = await self.pusher.step()
            self._take()
            times = [at for at in (due, self.client.next_deadline()) if at is not None]
            at = min(times, default=math.inf)
            if at > end:
                break
            self.now = max(self.now, at)
            self.client.handle_deadline(now=self.now)
            self._take()
        self.now = end

    async def restart(self) -> None:
        """Another process with the same inventory and table."""
        self.start()
        await self.pusher.restore()

    # -- what came of it -------------------------------------------------------------------------------------------

    @property
    def told(self) -> list[float]:
        """When a check-sync left for the first time."""
        first: dict[str, float] = {}
        for at, request, _ in self.sent:
            first.setdefault(request.call_id, at)
        return list(first.values())

    def holding(self, mac: str = MAC, key: ProfileKey = KEY) -> Holding:
        device = self.inventory.get(mac)
        assert device is not None
        return device.holdings[str(key)]

    # -- a Line ----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.client)

    def is_busy(self, device: str) -> bool:
        return self.client.is_busy(device)

    def send(self, push: Push) -> None:
        self.client.send(push, now=self.now)
        self._take()

    def _take(self) -> None:
        while messages := self.client.messages_to_send():
            for data, flow in messages:
                request = parse_message(data)
                assert isinstance(request, Request)
                request.check()
                self.sent.append((self.now, request, flow))
                status = self.answer(request)
                if status is not None:
                    self.client.receive_response(answered(request, status), now=self.now)
        for event in self.client.events():
            self.pusher.happened(event)

    async def _resolve(self, scheme: str, host: str, port: int | None, transport: str | None) -> list[Target]:
        if host[0] == "[" or host[0].isdigit():
            return [Target(transport or "udp", host.strip("[]"), port or 5060)]
        if host not in self.hosts:
            raise Unresolvable(f"{host} has no address that can be used")
        return self.hosts[host]

    @staticmethod
    def _flow_to(transport: str, remote: tuple[str, int]) -> Flow | None:
        return Flow(transport, ("192.0.2.1", 5060), remote)


async def office_with_a_phone(**settings: object) -> Office:
    """It has version 1, and was told nothing."""
    office = Office(PushSettings(**({"settle": 0, "longest": 300, "spread": 0} | settings)))  # type: ignore[arg-type]
    office.write(1)
    office.see()
    office.fetch()
    await office.run(1)
    assert office.sent == []
    return office


def answered(request: Request, status: int) -> Response:
    """A phone's answer, with a challenge when it is one."""
    names = ("Via", "From", "To", "Call-ID", "CSeq")
    head = "".join(f"{name}: {request.headers.get(name.lower())}\r\n" for name in names)
    extra = CHALLENGE if status == 401 else CHALLENGE.replace("WWW", "Proxy") if status == 407 else ""
    response = parse_message(f"SIP/2.0 {status} X\r\n{head}{extra}Content-Length: 0\r\n\r\n".encode())
    assert isinstance(response, Response)
    return response
