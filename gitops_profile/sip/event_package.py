"""What an event package answers its notifier (RFC 6665 §5.4)."""

from dataclasses import dataclass
from typing import Protocol

from .flow import Flow
from .syntax import EventHeader, Request

NO_CONTENT = b"Content-Length: 0\r\n\r\n"
"""The `content` of a NOTIFY without a body."""


@dataclass(frozen=True, slots=True)
class EventState:
    """The event state of a resource, as one subscriber may see it."""

    etag: str
    content: bytes
    """Content-* headers, the blank line and the body: everything of a NOTIFY that subscribers share."""
    body_size: int
    """Bytes; 0 when there is nothing to show."""
    event_parameters: str = ""
    """Parameters of the NOTIFY's Event header, such as `;effective-by=0`."""
    withheld: str | None = None
    """Why the body is not shown, in words for the operator; None when it is."""


class SubscriptionRefused(Exception):
    """A SUBSCRIBE that this package does not accept, with the status and reason to answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class EventPackage(Protocol):
    """One SIP event package."""

    @property
    def name(self) -> str:
        """The package name, compared byte by byte (RFC 6665 §8.2.1)."""

    def resource(self, request: Request, event: EventHeader, flow: Flow) -> str:
        """What an initial SUBSCRIBE that came by `flow` asks for; raises SubscriptionRefused."""

    def accepts(self, resource: str, accept: str | None) -> bool:
        """Whether the Accept value allows the resource's content type; None is an absent header."""

    def state(self, resource: str, accept: str | None) -> EventState | None:
        """The state now; None when the resource has no document (any more)."""
