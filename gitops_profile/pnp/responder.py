"""The responder: one 200 and one NOTIFY for each phone that is known, silence for everybody else.

It owns no socket and no clock: after any call send `messages_to_send()`, take `events()`, come back at
`next_deadline()`. It keeps nothing of a phone but the answer to repetitions, for as long as they come (phones.md 3).
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from gitops_profile.devices import vendor_of
from gitops_profile.sip import Flow, Timers, host_port
from gitops_profile.sip.syntax import Response, SIPSyntaxError, Via, received_via
from gitops_profile.sip.transaction import TransactionLayer

from .budget import Budget, Budgets
from .request import NotPnP, PnPRequest, read_request

AGENT = "gitops-profile"


@dataclass(frozen=True, slots=True)
class PnPLimits:
    """Bounds, each with silence as its answer: nobody can ask what is not heard (invariant I9)."""

    per_phone: int = 10
    """SUBSCRIBEs, repetitions apart, from one address, and of one MAC, within `seconds`: a phone asks once at boot, or
    each minute. Whoever forges addresses silences the one phone whose MAC he names, and no other."""
    overall: int = 1000
    """Of all phones that are known: a whole building comes back after a power cut."""
    strangers: int = 1000
    """Of all others. What they spend, the known do not miss: MACs and sources can be made up."""
    seconds: float = 60.0
    remembered: int = 5000
    """Answers kept for repetitions; sources and MACs that are counted."""
    repetitions: int = 11
    """Of one SUBSCRIBE that are answered: so often Timer E sends it again (RFC 3261 §17.1.2.2)."""
    transmissions: int = 5
    """Of one NOTIFY: a phone that has gone on does not answer, and an address that was forged must not be flooded."""
    pause: float = 0.01
    """Seconds between the 200 and the NOTIFY: some phones want to have seen the first before the second."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a phone is given."""

    url: str
    is_known: bool = True
    """False for a stranger who is answered all the same."""


@dataclass(frozen=True, slots=True)
class PnPAsked:
    """A phone asked, and was not one too many; repetitions apart."""

    request: PnPRequest
    source: str


@dataclass(frozen=True, slots=True)
class PnPAnswered:
    """A phone was offered a URL, and answered its NOTIFY."""

    mac: str | None
    source: str
    status: int
    """0 when it did not answer, which some never do."""


@dataclass(frozen=True, slots=True)
class PnPRefused:
    """A datagram that was not answered."""

    source: str
    reason: str
    """malformed, unknown, source or flood."""
    mac: str | None = None


PnPEvent = PnPAsked | PnPAnswered | PnPRefused
Decide = Callable[[PnPRequest], Offer | None]
"""What a phone is given; None for silence. Asked of whoever is near, however many: it may cost a look-up, no more."""


class PnPResponder:
    """Answers on one interface."""

    def __init__(
        self,
        decide: Decide,
        is_near: Callable[[str], bool],
        new_token: Callable[[], str],
        *,
        mac_at: Callable[[str], str | None] = lambda address: None,
        limits: PnPLimits | None = None,
        timers: Timers | None = None,
    ) -> None:
        """`is_near(address)`: whether it is on the interface's own network, where alone phones are answered.
        `mac_at(address)`: the MAC that is seen there, for phones that do not say theirs (phones.md 2.1)."""
        self._decide = decide
        self._is_near = is_near
        self._new_token = new_token
        self._mac_at = mac_at
        self._limits = limits = limits or PnPLimits()
        self._timers = timers or Timers()
        self._outbox: list[tuple[bytes, Flow]] = []
        self._layer = TransactionLayer(self._outbox, self._timers)
        self._events: list[PnPEvent] = []
        self._answers: OrderedDict[tuple[object, ...], _Answer] = OrderedDict()
        """By sender and identity: what anybody on the network can hear, anybody can send again from elsewhere."""
        self._later: list[tuple[float, int, bytes, Flow, str, str | None]] = []
        self._number = count()
        self._sources = Budgets(limits.per_phone, limits.seconds, limits.remembered)
        self._macs = Budgets(limits.per_phone, limits.seconds, limits.remembered)
        self._known = Budget(limits.overall, limits.seconds)
        self._strangers = Budget(limits.strangers, limits.seconds)

    def messages_to_send(self) -> list[tuple[bytes, Flow]]:
        """What is to be sent now, in order."""
        messages = self._outbox[:]
        self._outbox.clear()
        return messages

    def events(self) -> list[PnPEvent]:
        """What happened since the last call."""
        events = self._events[:]
        self._events.clear()
        return events

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is wanted next."""
        times = [self._layer.next_deadline(), self._later[0][0] if self._later else None]
        known = [time for time in times if time is not None]
        return min(known) if known else None

    def handle_deadline(self, *, now: float) -> None:
        """Send the NOTIFYs whose time has come, repeat those that are unanswered."""
        timed_out, _ = self._layer.handle_deadline(now=now)
        for transaction in timed_out:
            mac, source = transaction.owner
            self._events.append(PnPAnswered(mac, source, 0))
        while self._later and self._later[0][0] <= now:
            _, _, data, flow, branch, mac = heapq.heappop(self._later)
            owner = (mac, flow.remote[0])
            self._layer.send_request(branch, data, flow, owner, now=now, limit=self._limits.transmissions)

    def receive(self, data: bytes, flow: Flow, *, now: float) -> None:
        """A datagram; `flow.local` is the address of ours from which phones are answered."""
        source = flow.remote[0]
        try:
            message = read_request(data)
        except NotPnP:
            self._events.append(PnPRefused(source, "malformed"))
            return
        if isinstance(message, Response):
            transaction = self._layer.receive_response(message)
            if transaction is not None:
                mac, asked = transaction.owner
                self._events.append(PnPAnswered(mac, asked, message.status))
            return
        if not self._is_near(source):
            self._events.append(PnPRefused(source, "source", message.mac))
            return
        self._subscribe(message, flow, now)

    def _subscribe(self, request: PnPRequest, flow: Flow, now: float) -> None:
        identity = (flow.remote, *request.identity)
        known = self._answers.get(identity)
        if known is not None and known.until > now:
            if known.left > 0:
                known.left -= 1
                self._outbox.append((known.response, flow))  # and no second NOTIFY
            return
        source = flow.remote[0]
        admitted = self._admit(request, source, now)
        if admitted is None:
            self._events.append(PnPRefused(source, "flood", request.mac))
            return
        request, offer = admitted
        self._events.append(PnPAsked(request, source))
        if offer is None:
            self._events.append(PnPRefused(source, "unknown", request.mac))
            return
        tag = self._new_token()
        response = build_200(request, flow, tag)
        self._remember(identity, response, now)
        self._outbox.append((response, flow))
        to = _destination(request, flow)
        branch = "z9hG4bK" + self._new_token()
        notify = build_notify(request, offer, to, tag, branch)
        heapq.heappush(self._later, (now + self._limits.pause, next(self._number), notify, to, branch, request.mac))

    def _admit(self, request: PnPRequest, source: str, now: float) -> tuple[PnPRequest, Offer | None] | None:
        """The request with the MAC of its sender, and what it is given; None when it is one too many."""
        if not self._sources.spend(source, now=now):
            return None
        if request.mac is None and self._strangers.has_room(now=now):
            mac = self._mac_at(source)
            vendor = vendor_of(request.vendor.name, mac, None) if mac is not None else request.vendor
            request = replace(request, mac=mac, vendor=vendor)
        offer = self._decide(request)
        if offer is None or not offer.is_known:
            return (request, offer) if self._strangers.spend(now=now) else None
        if request.mac is not None and not self._macs.spend(request.mac, now=now):
            return None
        return (request, offer) if self._known.spend(now=now) else None

    def _remember(self, identity: tuple[object, ...], response: bytes, now: float) -> None:
        self._answers.pop(identity, None)
        self._answers[identity] = _Answer(now + self._timers.timeout, response, self._limits.repetitions)
        while len(self._answers) > self._limits.remembered or next(iter(self._answers.values())).until <= now:
            self._answers.popitem(last=False)


@dataclass(slots=True)
class _Answer:
    """A 200 that is kept for repetitions."""

    until: float
    response: bytes
    left: int


def build_200(request: PnPRequest, flow: Flow, tag: str) -> bytes:
    """The bytes of the response: to where the datagram came from, whatever its Via says (phones.md 2.2)."""
    first, *others = request.vias
    try:
        first = received_via(first, Via.parse(first), flow.remote)
    except SIPSyntaxError:
        pass  # it is the phone's, and goes back as it came
    lines = [
        "SIP/2.0 200 OK",
        *(f"Via: {via}" for via in (first, *others)),
        f"From: {request.from_}",
        f"To: {request.to}" + ("" if ";tag=" in request.to.lower() else f";tag={tag}"),
        f"Call-ID: {request.call_id}",
        f"CSeq: {request.cseq} SUBSCRIBE",
        f"Contact: <sip:{host_port(flow.local)}>",
        "Expires: 0",
        f"Server: {AGENT}",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def build_notify(request: PnPRequest, offer: Offer, to: Flow, tag: str, branch: str) -> bytes:
    """The bytes of the one NOTIFY: the URL and nothing else, no line end behind it."""
    target = request.contact_uri if to.remote == request.contact else f"sip:{host_port(to.remote)}"
    body = offer.url.encode()
    lines = [
        f"NOTIFY {target} SIP/2.0",
        f"Via: SIP/2.0/UDP {host_port(to.local)};branch={branch};rport",
        "Max-Forwards: 70",
        f"From: {request.to}" + ("" if ";tag=" in request.to.lower() else f";tag={tag}"),
        f"To: {request.from_}",
        f"Call-ID: {request.call_id}",
        "CSeq: 1 NOTIFY",
        f"Contact: <sip:{host_port(to.local)}>",
        "Event: ua-profile",
        "Subscription-State: terminated;reason=timeout",
        f"User-Agent: {AGENT}",
        f"Content-Type: {request.accept}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def _destination(request: PnPRequest, flow: Flow) -> Flow:
    """The Contact when it is the sender's own address, else where the datagram came from, and never anywhere else."""
    if request.contact is None or request.contact[0] != flow.remote[0] or not 0 < request.contact[1] < 65536:
        return flow
    return Flow("udp", flow.local, request.contact)
