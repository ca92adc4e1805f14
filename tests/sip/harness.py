"""A laboratory for the notifier: virtual time, a fake event package, a durable-at-will store, a small phone."""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from gitops_profile.sip import (
    AccessControl,
    Audience,
    Backlog,
    Batch,
    EventState,
    Flow,
    Notifier,
    NotifierSettings,
    StoredSubscription,
    SubscriptionEvent,
    SubscriptionRefused,
)
from gitops_profile.sip.syntax import EventHeader, Request, Response, parse_message

SERVER = ("192.0.2.1", 5060)
PHONE = ("192.0.2.9", 5062)
UDP = Flow("udp", SERVER, PHONE)
TCP = Flow("tcp", SERVER, PHONE, 7)


@dataclass
class FakePackage:
    """Documents by user part."""

    documents: dict[str, bytes] = field(default_factory=lambda: {"alice": b"<a/>"})
    name: str = "ua-profile"
    rendered: int = 0

    def domain(self, request: Request) -> str:
        return "example.com"

    def domain_of(self, resource: str) -> str:
        return "example.com"

    def resource(self, request: Request, event: EventHeader) -> str:
        user = request.uri.partition(":")[2].partition("@")[0]
        if user not in self.documents:
            raise SubscriptionRefused(403, "Not provisioned")
        return user

    def device(self, request: Request, event: EventHeader) -> tuple[str | None, str | None, str | None]:
        said = event.parameters
        return said.get("vendor"), said.get("model"), said.get("version")

    def accepts(self, resource: str, audience: Audience) -> bool:
        return audience.accept is None or "text/xml" in audience.accept

    def state(self, resource: str, audience: Audience) -> EventState | None:
        self.rendered += 1
        body = self.documents.get(resource)
        if body is None:
            return None
        etag = hashlib.sha256(body).hexdigest()[:32]
        head = f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        link = None
        if "message/external-body" in (audience.accept or ""):
            pointer = b"Content-Type: message/external-body\r\nContent-Length: 7\r\n\r\npointer"
            link = EventState(etag, pointer, 7, entity_tag=f"{etag}.url", is_pointer=True)
        return EventState(etag, head + body, len(body), link=link)


@dataclass
class FakeAccess:
    """Who asks is who `X-Identity` says; credentials for whoever has an identity."""

    proxies: set[str] = field(default_factory=set)
    forbidden: set[tuple[str | None, str]] = field(default_factory=set)
    answered: int = 0
    is_served: bool = True
    """Whether the domain is served at all."""

    def identify(self, request: Request, flow: Flow, domain: str, *, now: float) -> str | None:
        return request.headers.get("x-identity")

    def permits(self, identity: str | None, resource: str) -> bool:
        return (identity, resource) not in self.forbidden

    def serves(self, domain: str, flow: Flow) -> bool:
        return self.is_served

    def trusts(self, flow: Flow) -> bool:
        return flow.remote[0] in self.proxies

    def answer(self, response: Response, identity: str | None, uri: str) -> tuple[str, str] | None:
        if identity is None:
            return None
        self.answered += 1
        return "Authorization" if response.status == 401 else "Proxy-Authorization", f'Digest n="{self.answered}"'


class Lab:
    """A notifier whose shell is this test."""

    def __init__(
        self,
        settings: NotifierSettings | None = None,
        package: FakePackage | None = None,
        access: AccessControl | None = None,
        new_token: Callable[[], str] | None = None,
    ) -> None:
        self.access = access
        self.package = package or FakePackage()
        self.settings = settings or NotifierSettings()
        self.rows: dict[str, StoredSubscription] = {}
        self.sent: list[tuple[float, bytes, Flow]] = []
        self.happened: list[SubscriptionEvent] = []
        self.now = 1000.0
        self.store_works = True
        self.holding: list[Batch] | None = None
        """Batches that wait, when the store is slow; None: they are durable at once."""
        self.held: set[str] = set()
        """Resources whose changes have to wait."""
        tokens = itertools.count()
        self._new_token = new_token or (lambda: f"t{next(tokens)}")
        self.notifier = self._new_notifier()

    def _new_notifier(self) -> Notifier:
        return Notifier(self.package, self.settings, self._new_token, self.access, self.held.__contains__)

    def restart(self, backlog: Backlog | None = None) -> None:
        """Lose everything but the rows; with a backlog none of them is taken up yet."""
        self.notifier = self._new_notifier()
        if backlog is not None:
            self.notifier.begin_restoring(backlog, now=self.now)
        else:
            self.notifier.restore(list(self.rows.values()), now=self.now)
        self.pump()

    def receive(self, data: bytes, flow: Flow = UDP) -> list[bytes]:
        """Give a message in, return what came out at once."""
        before = len(self.sent)
        self.notifier.receive(data, flow, now=self.now)
        self.pump()
        return [data for _, data, _ in self.sent[before:]]

    def fail(self, data: bytes, flow: Flow) -> list[bytes]:
        """The transport could not send `data`; what came out at once."""
        before = len(self.sent)
        self.notifier.transport_failed(data, flow, now=self.now)
        self.pump()
        return [data for _, data, _ in self.sent[before:]]

    def change(self, resource: str, body: bytes | None) -> list[bytes]:
        """Change a document, return what came out at once."""
        before = len(self.sent)
        if body is None:
            self.package.documents.pop(resource, None)
        else:
            self.package.documents[resource] = body
        self.notifier.state_changed([resource], now=self.now)
        self.pump()
        return [data for _, data, _ in self.sent[before:]]

    def run_until(self, end: float) -> None:
        """Let virtual time pass."""
        while (deadline := self.notifier.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.notifier.handle_deadline(now=self.now)
            self.pump()
        self.now = end

    def pump(self) -> None:
        while True:
            batch = self.notifier.take_batch()
            self.happened += self.notifier.events()
            for data, flow in self.notifier.messages_to_send():
                assert not data.startswith(b"SIP/2.0 1") or data.startswith(b"SIP/2.0 100 ")  # RFC 4320 §4.1
                assert not data.startswith(b"SIP/2.0 202 ")  # RFC 6665 §8.3.1
                self.sent.append((self.now, data, flow))
            if batch is None:
                return
            if self.holding is not None:
                self.holding.append(batch)
            else:
                self.finish(batch)

    def finish(self, batch: Batch) -> None:
        """The store's word on a batch."""
        if not self.store_works and (batch.rows or batch.told or batch.deletes):
            self.notifier.commit_failed(batch, now=self.now)
            return
        self.rows.update({row.id: row for row in batch.rows})
        self.rows.update({row.id: self.rows[row.id]._replace(**row._asdict()) for row in batch.told})
        for id_ in batch.deletes:
            self.rows.pop(id_, None)
        self.notifier.committed(batch, now=self.now)

    def since(self, start: int) -> list[bytes]:
        """What was sent after the first `start` messages."""
        return [data for _, data, _ in self.sent[start:]]

    def retry(self, batch: Batch, *, works: bool) -> None:
        """End a batch that was held: durable, or refused by the store."""
        self.store_works = works
        self.finish(batch)
        self.store_works = True
        self.pump()


def parsed(data: bytes) -> Request | Response:
    """A message that must be whole."""
    message = parse_message(data)
    if isinstance(message, Request):
        message.check()
    return message


class Phone:
    """One dialog of a subscriber."""

    def __init__(self, lab: Lab, user: str = "alice", flow: Flow = UDP, call_id: str = "call-1") -> None:
        self.lab, self.user, self.flow, self.call_id = lab, user, flow, call_id
        self.cseq = 0
        self.to_tag: str | None = None
        self.target = f"sip:{user}@example.com"
        self.contact = f"<sip:{user}@192.0.2.9:5062>"
        self.notifies: list[Request] = []

    def build(self, expires: int | None = 600, method: str = "SUBSCRIBE", **fields: str | None) -> bytes:
        """A SUBSCRIBE; keyword `Event=None` leaves the field out, `_` in a name stands for `-`."""
        self.cseq += 1
        tag = f";tag={self.to_tag}" if self.to_tag else ""
        uri, transport = self.target, self.flow.transport.upper()
        values: dict[str, str | None] = {
            "Via": f"SIP/2.0/{transport} 192.0.2.9:5062;branch=z9hG4bK-{self.call_id}-{self.cseq};rport",
            "Max-Forwards": "70",
            "From": f"<sip:{self.user}@example.com>;tag=phone",
            "To": f"<sip:{self.user}@example.com>{tag}",
            "Call-ID": self.call_id,
            "CSeq": f"{self.cseq} {method}",
            "Contact": self.contact,
            "Event": "ua-profile",
            "Expires": None if expires is None else str(expires),
        }
        values |= {name.replace("_", "-"): value for name, value in fields.items()}
        lines = [f"{method} {uri} SIP/2.0", *(f"{k}: {v}" for k, v in values.items() if v is not None)]
        return ("\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode()

    def send(self, data: bytes, answer: int | None = 200) -> list[Request | Response]:
        """Send, note the dialog, answer each NOTIFY with `answer`; everything that came is returned."""
        return self.take(self.lab.receive(data, self.flow), answer)

    def take(
        self, messages: list[bytes], answer: int | None = 200, *, retry_after: int | None = None
    ) -> list[Request | Response]:
        """Read what the notifier sent, and answer its NOTIFYs."""
        seen: list[Request | Response] = []
        queue = list(messages)
        while queue:
            message = parsed(queue.pop(0))
            seen.append(message)
            if isinstance(message, Response):
                to = message.headers.get("to") or ""
                if 200 <= message.status < 300 and ";tag=" in to:
                    self.to_tag = to.partition(";tag=")[2]
            else:
                self.notifies.append(message)
                if answer is not None:
                    queue += self.lab.receive(self.answer(message, answer, retry_after), self.flow)
        return seen

    def subscribe(
        self, expires: int | None = 600, answer: int | None = 200, **fields: str | None
    ) -> list[Request | Response]:
        """SUBSCRIBE and what follows."""
        return self.send(self.build(expires, "SUBSCRIBE", **fields), answer)

    @staticmethod
    def answer(notify: Request, status: int = 200, retry_after: int | None = None) -> bytes:
        """An answer to a NOTIFY."""
        copied = [f"{name}: {notify.headers.get(name)}" for name in ("via", "from", "to", "call-id", "cseq")]
        extra = [f"Retry-After: {retry_after}"] if retry_after else []
        return "\r\n".join([f"SIP/2.0 {status} X", *copied, *extra, "Content-Length: 0\r\n\r\n"]).encode()


def statuses(messages: list[Request | Response]) -> list[int | str]:
    """A short form: status codes and methods, in order."""
    return [m.status if isinstance(m, Response) else m.method for m in messages]
