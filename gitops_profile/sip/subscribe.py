"""The decision procedure for a SUBSCRIBE, step by step (protocol.md 5.1: RFC 6665 §4.2.1, RFC 3261 §8.2)."""

from dataclasses import dataclass

from .audience import Audience, audience_like
from .event_package import EventPackage, SubscriptionRefused
from .flow import Flow
from .refusal import Refused
from .syntax import TOKEN, URI, Contact, EventHeader, Request, SIPSyntaxError, Via

ALLOW = "SUBSCRIBE, OPTIONS, CANCEL, ACK"
KNOWN_METHODS = frozenset(
    "INVITE BYE REGISTER MESSAGE INFO PRACK UPDATE REFER PUBLISH NOTIFY".split()  # known, and not for us: 405
)
RETRY_SECONDS = 10
"""When to ask again whom we cannot serve yet."""
SUPPORTED: frozenset[str] = frozenset()
"""Option tags that may be in Require."""
HOUR = 3600
MAX_EXPIRES = 2**32 - 1
MAX_URI = 2048
"""Characters of a Request-URI; a longer one names nobody (414)."""

MAX_KEPT = 16_384
"""Characters of a SUBSCRIBE that live as long as its subscription: a million of them must fit into memory. Through
four proxies they are some 1500."""
_KEPT = frozenset(
    "from to call-id contact record-route event accept user-agent suppress-if-match".split()  # what a dialog keeps
)


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds that a subscription may last."""

    default: int = 3600
    minimum: int = 60
    maximum: int = 86400

    def grant(self, request: Request) -> int:
        """The seconds to grant: never more than asked for (RFC 6665 §4.2.1.1); raises Refused 423.

        423 only when 0 < asked < 3600 and asked < minimum, as the RFC says. A malformed Expires counts as absent
        (RFC 3261 §20.19, RFC 4475 §3.1.2.4).
        """
        text = request.expires or ""
        if not (text.isascii() and text.isdigit()):
            return min(self.default, self.maximum)
        asked = int(text) if len(text) < 10 else min(int(text.lstrip("0")[:12] or 0), MAX_EXPIRES)
        if 0 < asked < HOUR and asked < self.minimum:
            raise Refused(423, "", ("Min-Expires", str(self.minimum)))
        return asked if asked < self.maximum else self.maximum


def check_extensions(request: Request) -> None:
    """Require must be understood (RFC 3261 §8.2.2.3); raises Refused 420."""
    unknown = [tag for tag in request.headers.items("require") if tag.lower() not in SUPPORTED]
    if unknown:
        raise Refused(420, "", ("Unsupported", ", ".join(unknown)))


def check_size(request: Request) -> None:
    """What a subscription would have to remember is bounded (invariant I9); raises Refused 513."""
    if (
        request.size > MAX_KEPT
        and sum(len(value) for name, value in request.headers.fields if name in _KEPT) > MAX_KEPT
    ):
        raise Refused(513)


def check_uri(request: Request, flow: Flow) -> URI:
    """The Request-URI must be one of ours in form; raises Refused 414, 416 or 400."""
    if len(request.uri) > MAX_URI:
        raise Refused(414)
    try:
        uri = request.read_target()
    except SIPSyntaxError as error:
        raise Refused(error.status, error.reason if error.status == 400 else "") from error
    if uri.scheme == "sips" and not flow.secure:
        raise Refused(416)  # RFC 3261 §26.2.2: every hop TLS, and this one is not
    if uri.headers:
        raise Refused(400, "headers in the Request-URI")  # RFC 3261 §19.1.1, RFC 4475 §3.1.2.11
    return uri


def check_body(request: Request) -> None:
    """A body that would have to be understood: its encoding; raises Refused 415 (RFC 3261 §8.2.3).

    Not for SUBSCRIBE, whose body means nothing (RFC 6080 §6.3).
    """
    encoding = (request.headers.get("content-encoding") or "identity").strip().lower()
    optional = "handling=optional" in (request.headers.get("content-disposition") or "").replace(" ", "").lower()
    if request.body and encoding != "identity" and not optional:
        raise Refused(415, "", ("Accept-Encoding", "identity"))


def event_of(request: Request, package: EventPackage) -> EventHeader:
    """The one Event header, of our package; raises Refused 489 (RFC 6665 §4.2.1.1, §4.2.3)."""
    value = request.event
    try:
        event = EventHeader.parse(value) if value else None
    except SIPSyntaxError as error:
        raise Refused(489, "", ("Allow-Events", package.name)) from error
    if event is None or event.package != package.name:
        raise Refused(489, "", ("Allow-Events", package.name))
    return event


def audience_of(
    request: Request, event: EventHeader, contact: Contact, flow: Flow, identity: str | None, package: EventPackage
) -> Audience:
    """What of the request decides what its sender is shown."""
    vendor, model, version = package.device(request, event)
    return audience_like(
        request.accept,
        vendor,
        model,
        version,
        contact.parameters.get("schemes"),
        identity is not None,
        is_protected(request, flow),
    )


def is_protected(request: Request, flow: Flow) -> bool:
    """Whether the request came over TLS all the way, as its Vias say (RFC 6080 §5.2.1: both ways, end to end)."""
    return flow.secure and all(Via.parse(via).transport in ("tls", "wss") for via in request.vias[1:])


def condition_of(request: Request) -> str | None:
    """The Suppress-If-Match value; None when it is absent or malformed (RFC 5839 §5.1)."""
    values = request.headers.all("suppress-if-match")
    return values[0] if len(values) == 1 and TOKEN.fullmatch(values[0]) else None


def domain_of(request: Request, package: EventPackage) -> str:
    """The domain that an initial SUBSCRIBE is about; raises Refused."""
    try:
        return package.domain(request)
    except SubscriptionRefused as refused:
        raise _refusal(refused) from refused


def resource_of(request: Request, event: EventHeader, package: EventPackage) -> str:
    """What an initial SUBSCRIBE asks for; raises Refused."""
    try:
        return package.resource(request, event)
    except SubscriptionRefused as refused:
        raise _refusal(refused) from refused


def _refusal(refused: SubscriptionRefused) -> Refused:
    """The answer to what the package does not accept; a 503 without Retry-After is a 500 (RFC 3261 §21.5.4)."""
    fields = (("Retry-After", str(RETRY_SECONDS)),) if refused.status == 503 else ()
    return Refused(refused.status, refused.reason, *fields)


def echoed_event(event: EventHeader) -> str:
    """The Event value that every NOTIFY repeats: the package, and `id` if there was one (RFC 6665 §4.5.2)."""
    return f"{event.package};id={event.id}" if event.id else event.package
