"""One NOTIFY as it can go: in which presentation, and on which flow (RFC 3261 §18.1.1, RFC 5839 §6.2)."""

import re
from collections.abc import Sequence
from functools import partial

from .batch import NotifyItem
from .event_package import EventState
from .flow import Flow
from .lookups import Lookups
from .notify import MAX_DATAGRAM, build_notify
from .routing import over_tcp
from .settings import NotifierSettings
from .subscription import NO_DOCUMENT, Subscription
from .syntax import Response

_SECONDS = re.compile(r"[0-9]{1,9}")
MAX_RETRY_AFTER = 86400
"""Seconds at most that a phone may ask for; it would be without its document for as long."""


def compose(
    subscription: Subscription,
    state: EventState | None,
    flow: Flow,
    others: Sequence[Flow],
    branch: str,
    settings: NotifierSettings,
    lookups: Lookups,
    *,
    now: float,
    credentials: tuple[str, str] | None = None,
) -> NotifyItem:
    """The NOTIFY of the dialog's present CSeq about `state`, for `flow`, or for that of the `others` that it can take.

    A Suppress-If-Match that is not true for `state` is over. `credentials` are the header field that answers a
    challenge.
    """
    bodiless = subscription.suppress is not None and subscription.is_suppressed(state)
    if bodiless and state is not None and state.link is not None and subscription.suppress == state.link.sip_etag:
        state = state.link  # the tag stays the one that the phone has (§6.2)
    if not bodiless:
        subscription.suppress = None  # it stops being true when the entity changes (RFC 5839 §5.2)

    limit = settings.datagram_bytes
    data = build_notify(
        subscription, state, flow, branch, now,
        instance=settings.instance, bodiless=bodiless, credentials=credentials,
    )  # fmt: skip
    if len(data) > limit and state is not None and not flow.reliable:
        build = partial(
            build_notify, branch=branch, now=now, instance=settings.instance, bodiless=bodiless, credentials=credentials
        )
        # RFC 3261 §18.1.1: above 1300 bytes a request leaves UDP. As a pointer when the phone can follow one, for many
        # phones listen on UDP only; by TCP to the same place; back on UDP where it certainly is not cut into fragments.
        pointed = build(subscription, state.link, flow) if state.link is not None else None
        if pointed is not None and len(pointed) <= limit:
            data, state = pointed, state.link
        elif lookups.may_listen(flow.remote, now):
            others, flow = [flow, *others], over_tcp(flow)
            data = build(subscription, state, flow)
        elif len(data) > (MAX_DATAGRAM if flow.is_loopback or settings.fragment else limit):
            state = state.shortened("too large for a datagram, and the phone takes neither TCP nor a link")
            data = build(subscription, state, flow)
    if state is None:
        return NotifyItem(branch, data, flow, subscription, NO_DOCUMENT, None, others, credentials)
    return NotifyItem(
        branch, data, flow, subscription, state.etag, state.withheld, others, credentials, state.is_pointer
    )


def retry_after_of(response: Response) -> int:
    """Seconds that the answer to a NOTIFY asks us to wait (RFC 3261 §20.33), within bounds; 0 when it does not."""
    wanted = _SECONDS.match(response.headers.get("retry-after") or "")
    return min(int(wanted[0]), MAX_RETRY_AFTER) if wanted else 0
