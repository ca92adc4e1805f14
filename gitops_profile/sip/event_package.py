"""What an event package answers its notifier (RFC 6665 §5.4)."""

from typing import Protocol

import msgspec

from .audience import Audience
from .syntax import EventHeader, Request

NO_CONTENT = b"Content-Length: 0\r\n\r\n"
"""The `content` of a NOTIFY without a body."""


class EventState(msgspec.Struct, frozen=True, gc=False):
    """The event state of a resource, as one audience may see it."""

    etag: str
    """Of the content, however it is presented: what decides whether a subscriber has it (invariant I3)."""
    content: bytes
    """Content-* headers, the blank line and the body: everything of a NOTIFY that subscribers share."""
    body_size: int
    """Bytes; 0 when there is nothing to show."""
    event_parameters: str = ""
    """Parameters of the NOTIFY's Event header, such as `;effective-by=0`."""
    withheld: str | None = None
    """Why the body is not shown, in words for the operator; None when it is."""
    entity_tag: str = ""
    """The SIP-ETag of this presentation (RFC 5839 §6.1); empty when it is `etag`."""
    link: "EventState | None" = None
    """The same content as a pointer (RFC 4483), for when the body does not fit; None when that is not possible."""
    is_pointer: bool = False
    """Whether it says where the document is instead of having it."""

    @property
    def sip_etag(self) -> str:
        """The value of the SIP-ETag header."""
        return self.entity_tag or self.etag

    def matches(self, tag: str) -> bool:
        """Whether a Suppress-If-Match value names this state, in either presentation (RFC 5839 §5.2)."""
        return tag in ("*", self.sip_etag) or (self.link is not None and tag == self.link.sip_etag)

    def with_link(self, link: "EventState") -> "EventState":
        """The same, which may be sent as `link` instead."""
        return EventState(
            self.etag, self.content, self.body_size, self.event_parameters, self.withheld, self.entity_tag, link
        )

    def shortened(self, reason: str) -> "EventState":
        """The same without its body, which cannot be sent for `reason`."""
        return EventState(self.etag, NO_CONTENT, 0, self.event_parameters, reason, f"{self.etag}.withheld")


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

    def domain(self, request: Request) -> str:
        """The domain whose profiles a SUBSCRIBE is about; raises SubscriptionRefused."""

    def domain_of(self, resource: str) -> str:
        """The domain of a resource."""

    def resource(self, request: Request, event: EventHeader) -> str:
        """What an initial SUBSCRIBE asks for; raises SubscriptionRefused."""

    def device(self, request: Request, event: EventHeader) -> tuple[str | None, str | None, str | None]:
        """Vendor, model and version of whoever sends an initial SUBSCRIBE; None for what is not known."""

    def accepts(self, resource: str, audience: Audience) -> bool:
        """Whether the audience takes some presentation of the resource."""

    def state(self, resource: str, audience: Audience) -> EventState | None:
        """The state now; None when the resource has no document (any more)."""
