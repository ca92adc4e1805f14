"""One NOTIFY as it can go: in which presentation, and on which flow (RFC 3261 §18.1.1, RFC 5839 §6.2)."""

import re

from .batch import NotifyItem
from .event_package import EventState
from .flow import Flow
from .lookups import Lookups
from .notify import MAX_DATAGRAM, NotifyHead
from .routing import over_tcp
from .settings import NotifierSettings
from .subscription import Subscription, etag_of
from .syntax import Response

_SECONDS = re.compile(r"[0-9]{1,9}")
MAX_RETRY_AFTER = 86400
"""Seconds at most that a phone may ask for; it would be without its document for as long."""


def compose(
    subscription: Subscription,
    state: EventState | None,
    flows: list[Flow],
    branch: str,
    settings: NotifierSettings,
    lookups: Lookups,
    *,
    now: float,
    credentials: tuple[str, str] | None = None,
) -> NotifyItem:
    """The NOTIFY of the dialog's present CSeq about `state`, for the first of `flows` that it can take.

    A Suppress-If-Match that is not true for `state` is over. `credentials` are the header field that answers a
    challenge.
    """
    bodiless = subscription.is_suppressed(state)
    if bodiless and state is not None and state.link is not None and subscription.suppress == state.link.sip_etag:
        state = state.link  # the tag stays the one that the phone has (§6.2)
    if not bodiless:
        subscription.suppress = None  # it stops being true when the entity changes (RFC 5839 §5.2)

    flow, others = flows[0], flows[1:]
    head = NotifyHead(subscription, branch, now, settings.instance, bodiless, credentials)
    data = head.about(state, flow)
    limit = settings.datagram_bytes
    if len(data) > limit and state is not None and not flow.reliable:
        # RFC 3261 §18.1.1: above 1300 bytes a request leaves UDP. As a pointer when the phone can follow one, for many
        # phones listen on UDP only; by TCP to the same place; back on UDP where it certainly is not cut into fragments.
        pointed = head.about(state.link, flow) if state.link is not None else None
        if pointed is not None and len(pointed) <= limit:
            data, state = pointed, state.link
        elif lookups.may_listen(flow.remote, now):
            others, flow = flows, over_tcp(flow)
            data = head.about(state, flow)
        elif len(data) > (MAX_DATAGRAM if flow.is_loopback or settings.fragment else limit):
            state = state.shortened("too large for a datagram, and the phone takes neither TCP nor a link")
            data = head.about(state, flow)
    withheld = state.withheld if state is not None else None
    return NotifyItem(branch, data, flow, subscription, etag_of(state), withheld, others, credentials)


def retry_after_of(response: Response) -> int:
    """Seconds that the answer to a NOTIFY asks us to wait (RFC 3261 §20.33), within bounds; 0 when it does not."""
    wanted = _SECONDS.match(response.headers.get("retry-after") or "")
    return min(int(wanted[0]), MAX_RETRY_AFTER) if wanted else 0
