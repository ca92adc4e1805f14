"""A phone that sends what a file holds, and goes on in the manner of that file."""

import re
from dataclasses import replace

from gitops_profile.event_packages import UAProfile
from gitops_profile.presentity import (
    PresentityTable,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    RevisionApplied,
    RevisionStamp,
)
from gitops_profile.sip import AccessControl, Flow, NotifierSettings
from gitops_profile.sip.syntax import Request, Response
from tests.sip.harness import SERVER, Lab, parsed

from .traffic_index import INDEX, Row

ADDRESS = "192.0.2.67"
"""Where every phone is."""
STAMP = RevisionStamp("a" * 40, "A", "C", "2026-01-01T00:00:00Z", "m")


def edit(data: bytes, name: str, value: str | None) -> bytes:
    """The message with another value of a field, in whatever spelling it stands; None takes it out."""
    end = b"\r\n" if b"\r\n" in data else b"\n"
    pattern = re.compile(rb"(?im)^(%s)[ \t]*:.*?\r?\n(?:[ \t].*?\r?\n)*" % name.encode())
    assert pattern.search(data), (name, data)
    if value is None:
        return pattern.sub(b"", data, count=1)
    return pattern.sub(lambda match: match[1] + b": " + value.encode() + end, data, count=1)


def field(data: bytes, name: str) -> str:
    """The value of a field, by its names in a message of ours or of theirs."""
    match = re.search(rb"(?im)^(?:%s)[ \t]*:[ \t]*(.*?)\r?\n" % name.encode(), data)
    assert match, (name, data)
    return match[1].decode()


VIA, CONTACT, TO, EVENT = "Via|v", "Contact|m", "To|t", "Event|o"


class Household(Lab):
    """The notifier with the real package, and a document for every phone of the traffic."""

    def __init__(self, settings: NotifierSettings | None = None, access: AccessControl | None = None) -> None:
        self.table = PresentityTable()
        for resource in dict.fromkeys(row.document for row in INDEX if row.document != "-"):
            self.table.apply(ProfileAdded(document(resource, 1), STAMP))
        self.table.apply(RevisionApplied(STAMP, "main", "profiles", 1, len(INDEX), 0, 0))
        # The Lab's own package is a fake one.
        super().__init__(settings, UAProfile(self.table), access)  # type: ignore[arg-type]

    def publish(self, resource: str, version: int) -> list[bytes]:
        """Another version of a document; what came out at once."""
        before = len(self.sent)
        self.table.apply(ProfileChanged(document(resource, version), STAMP))
        self.notifier.state_changed([resource], now=self.now)
        self.pump()
        return self.since(before)


def document(resource: str, version: int) -> ProfileDocument:
    """What a phone gets: XML in example.com, a bare URL for those that know nothing else (phones.md 2.2)."""
    key = ProfileKey.parse(resource)
    kind = "text/xml" if key.domain == "example.com" else "application/url"
    return ProfileDocument(key, kind, body_of(resource, version), "p")


def body_of(resource: str, version: int = 1) -> bytes:
    """The body of a version."""
    if "/example.com/" in resource:
        return f"<profile of='{resource}' version='{version}'/>".encode()
    return f"https://prov.example.net/{version}/{resource}/".encode()


class Handset:
    """One dialog of a phone, from its first SUBSCRIBE."""

    def __init__(self, lab: Household, row: Row, transport: str = "udp") -> None:
        self.lab, self.row = lab, row
        via = field(row.data, VIA)
        port = re.match(r".*?:(\d+)", via)
        self.port = int(port[1]) if port else 5060
        self.flow = Flow(transport, SERVER, (ADDRESS, self.port), 7 if transport == "tcp" else 0)
        self.first = row.data
        if transport == "tcp":
            self.first = self.first.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
        self.last = self.first
        self.to_tag: str | None = None
        self.notifies: list[Request] = []
        self.responses: list[Response] = []

    def send(self, data: bytes, answer: int | None = 200, flow: Flow | None = None) -> list[Request | Response]:
        """Send, and answer every NOTIFY that comes."""
        return self.take(self.lab.receive(data, flow or self.flow), answer)

    def take(self, messages: list[bytes], answer: int | None = 200) -> list[Request | Response]:
        """Read what came, and answer the NOTIFYs of it."""
        seen: list[Request | Response] = []
        queue = list(messages)
        while queue:
            message = parsed(queue.pop(0))
            seen.append(message)
            if isinstance(message, Response):
                self.responses.append(message)
                if message.status == 200:
                    self.to_tag = (message.headers.get("to") or "").rpartition(";tag=")[2]
            else:
                self.notifies.append(message)
                if answer is not None:
                    queue += self.lab.receive(reply(message, answer), self.flow)
        return seen

    def subscribe(self, answer: int | None = 200) -> list[Request | Response]:
        """The SUBSCRIBE of the file."""
        return self.send(self.first, answer)

    def again(self, step: int = 1, *, to_tag: bool = True, expires: int | None = None) -> bytes:
        """The next SUBSCRIBE, as this phone would write it: in the dialog or, without `to_tag`, outside."""
        cseq = int(field(self.last, "CSeq").split()[0]) + step
        data = edit(self.last, "CSeq", f"{cseq} SUBSCRIBE")
        if ";branch=" in field(data, VIA) or b" ;branch=" in data:
            data = re.sub(rb";branch=([^;\r\n]+)", rb";branch=\1" + f".{cseq}.{len(self.lab.sent)}".encode(), data)
        bare = re.sub(r";tag=.*", "", field(data, TO))
        data = edit(data, TO, f"{bare};tag={self.to_tag}" if to_tag else bare)
        if expires is not None and re.search(rb"(?im)^expires", data):
            data = edit(data, "Expires", str(expires))
        elif expires is not None:
            data = edit(data, "CSeq", f"{cseq} SUBSCRIBE\r\nExpires: {expires}".replace("\r\n", line_end(data)))
        self.last = data
        return data

    def moved(self, port: int) -> Flow:
        """The same phone's packets from another port."""
        return replace(self.flow, remote=(ADDRESS, port))

    @property
    def held(self) -> int:
        """Subscriptions of the whole laboratory."""
        return len(self.lab.notifier)

    @property
    def delivery(self) -> str:
        """What is known of the only subscription there is."""
        [subscription] = self.lab.notifier.subscriptions()
        return subscription.delivery


def line_end(data: bytes) -> str:
    """CRLF, or the LF of old firmware."""
    return "\r\n" if b"\r\n" in data else "\n"


def reply(notify: Request, status: int = 200) -> bytes:
    """The answer of a phone without peculiarities."""
    lines = [f"{name}: {notify.headers.get(name.lower())}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    return "\r\n".join([f"SIP/2.0 {status} OK", *lines, "Content-Length: 0\r\n\r\n"]).encode()
