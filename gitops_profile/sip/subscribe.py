"""The decision procedure for a SUBSCRIBE, step by step (protocol.md 5.1: RFC 6665 §4.2.1, RFC 3261 §8.2)."""

import re
from dataclasses import dataclass

from .event_package import EventPackage, SubscriptionRefused
from .flow import Flow
from .syntax import URI, EventHeader, Request, SIPSyntaxError

ALLOW = "SUBSCRIBE, OPTIONS, CANCEL, ACK"
KNOWN_METHODS = frozenset(
    "INVITE BYE REGISTER MESSAGE INFO PRACK UPDATE REFER PUBLISH NOTIFY".split()  # known, and not for us: 405
)
SUPPORTED: frozenset[str] = frozenset()
"""Option tags that may be in Require."""
HOUR = 3600
MAX_EXPIRES = 2**32 - 1


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, reason: str = "", *fields: tuple[str, str]) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.fields = fields


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
        text = request.headers.get("expires") or ""
        if not re.fullmatch(r"[0-9]+", text):
            return min(self.default, self.maximum)
        asked = min(int(text.lstrip("0")[:12] or 0), MAX_EXPIRES)
        if 0 < asked < min(self.minimum, HOUR):
            raise Refused(423, "", ("Min-Expires", str(self.minimum)))
        return min(asked, self.maximum)


def check_extensions(request: Request) -> None:
    """Require must be understood (RFC 3261 §8.2.2.3); raises Refused 420."""
    unknown = [tag for tag in request.headers.items("require") if tag.lower() not in SUPPORTED]
    if unknown:
        raise Refused(420, "", ("Unsupported", ", ".join(unknown)))


def check_uri(request: Request) -> URI:
    """The Request-URI must be one of ours in form; raises Refused 416 or 400."""
    try:
        uri = URI.parse(request.uri)
    except SIPSyntaxError as error:
        raise Refused(error.status, error.reason if error.status == 400 else "") from error
    if uri.scheme == "sips":
        raise Refused(416)  # RFC 3261 §26.2.2: every hop TLS, and there is no TLS listener yet
    if uri.headers:
        raise Refused(400, "headers in the Request-URI")  # RFC 3261 §19.1.1, RFC 4475 §3.1.2.11
    return uri


def event_of(request: Request, package: EventPackage) -> EventHeader:
    """The one Event header, of our package; raises Refused 489 (RFC 6665 §4.2.1.1, §4.2.3)."""
    value = request.headers.get("event")
    try:
        event = EventHeader.parse(value) if value else None
    except SIPSyntaxError as error:
        raise Refused(489, "", ("Allow-Events", package.name)) from error
    if event is None or event.package != package.name:
        raise Refused(489, "", ("Allow-Events", package.name))
    return event


def accept_of(request: Request) -> str | None:
    """The Accept values as one list; None when the header is absent or empty."""
    return ", ".join(value for value in request.headers.all("accept") if value) or None


def resource_of(request: Request, event: EventHeader, accept: str | None, flow: Flow, package: EventPackage) -> str:
    """What an initial SUBSCRIBE asks for, and may have; raises Refused."""
    try:
        resource = package.resource(request, event, flow)
    except SubscriptionRefused as refused:
        raise Refused(refused.status, refused.reason) from refused
    if not package.accepts(resource, accept):
        raise Refused(406)
    return resource


def echoed_event(event: EventHeader) -> str:
    """The Event value that every NOTIFY repeats: the package, and `id` if there was one (RFC 6665 §4.5.2)."""
    return f"{event.package};id={event.id}" if event.id else event.package
