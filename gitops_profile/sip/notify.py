"""A NOTIFY: its bytes (protocol.md 5.5), and where it goes."""

from .event_package import NO_CONTENT, EventState
from .flow import Flow, host_port
from .subscription import Subscription, etag_of
from .syntax import URI, SIPSyntaxError

AGENT = "gitops-profile"
MAX_DATAGRAM = 65000
"""Bytes of a NOTIFY that fits one UDP datagram."""


def build_notify(subscription: Subscription, state: EventState | None, branch: str, to: Flow, *, now: float) -> bytes:
    """The bytes of the next NOTIFY; the dialog's CSeq is already the new one."""
    dialog = subscription.dialog
    target, routes = dialog.request_target()
    local = host_port(to.local)
    if subscription.final_reason is not None:
        substate = f"terminated;reason={subscription.final_reason}"
    else:
        substate = f"active;expires={max(0, int(subscription.expires_at - now))}"
    route = "".join(f"Route: {value}\r\n" for value in routes)
    etag = etag_of(state)
    if state is not None and state.withheld is not None:
        etag += ".withheld"  # another entity than the document, which the phone does not get (RFC 5839 §4)
    head = (
        f"NOTIFY {target} SIP/2.0\r\n"
        f"Via: SIP/2.0/{to.transport.upper()} {local};branch={branch};rport\r\n"
        f"Max-Forwards: 70\r\n{route}"
        f"From: {dialog.local_uri};tag={dialog.local_tag}\r\n"
        f"To: {dialog.remote_uri}\r\n"
        f"Call-ID: {dialog.call_id}\r\n"
        f"CSeq: {dialog.local_cseq} NOTIFY\r\n"
        f"Contact: <{contact_uri(to, dialog.secure)}>\r\n"
        f"Event: {subscription.event}{state.event_parameters if state is not None else ''}\r\n"
        f"Subscription-State: {substate}\r\n"
        f"SIP-ETag: {etag}\r\n"
        f"User-Agent: {AGENT}\r\n"
    )
    return head.encode("utf-8", "surrogateescape") + (state.content if state is not None else NO_CONTENT)


def contact_uri(flow: Flow, secure: bool = False) -> str:
    """Our own URI on a flow."""
    scheme = "sips" if secure else "sip"
    return f"{scheme}:{host_port(flow.local)}" + (";transport=tcp" if flow.transport == "tcp" else "")


def notify_flow(subscription: Subscription) -> Flow:
    """Where a NOTIFY goes: to the first hop of the dialog when that is the host the SUBSCRIBE came from.

    Otherwise back along the SUBSCRIBE's own path: a Contact that names somebody else must not make us a reflector
    (RFC 6665 §6.3), and behind a NAT only that path works (RFC 5626). The same holds for a Contact with `ob`.
    """
    flow = subscription.flow
    try:
        hop = subscription.dialog.next_hop()
    except SIPSyntaxError:
        return flow
    if hop.host.strip("[]") != flow.remote[0] or "ob" in hop.parameters:
        return flow
    # An open connection is used as long as it is there; the address is for when it is gone.
    return Flow(flow.transport, flow.local, (flow.remote[0], hop.port or _default_port(hop)), flow.connection)


def _default_port(hop: URI) -> int:
    return 5061 if hop.scheme == "sips" else 5060
