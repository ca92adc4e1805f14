"""The bytes of a NOTIFY (protocol.md 5.5)."""

from functools import lru_cache

from .dialog import Dialog
from .event_package import NO_CONTENT, EventState
from .flow import Endpoint, Flow, host_port
from .subscription import NO_DOCUMENT, Subscription

AGENT = "gitops-profile"
MAX_DATAGRAM = 65000
"""Bytes of a NOTIFY that fits one UDP datagram."""
_TRANSPORT_PARAMETER = {
    "udp": "", "tcp": ";transport=tcp", "tls": ";transport=tls", "ws": ";transport=ws", "wss": ";transport=ws",
}  # fmt: skip


def build_notify(
    subscription: Subscription,
    state: EventState | None,
    to: Flow,
    branch: str,
    now: float,
    *,
    instance: str = "",
    bodiless: bool = False,
    credentials: tuple[str, str] | None = None,
) -> bytes:
    """The bytes of the NOTIFY about `state`, as they go to `to`; the dialog's CSeq is already the new one.

    Its Contact is that of the 2xx, whatever it goes by: a NOTIFY is a target refresh request (RFC 6665 §3.2), and the
    listener that has the way of the SUBSCRIBE is the one that the phone can reach.
    `instance` names this server in the Contact; `bodiless` leaves the body out because the phone has it (RFC 5839
    §6.2); `credentials` are the header field that answers a challenge.
    """
    dialog = subscription.dialog
    target, extra = dialog.remote_target, ""
    if dialog.route_set:
        target, routes = dialog.request_target()
        extra = "".join(f"Route: {value}\r\n" for value in routes)
    if subscription.final_reason is not None:
        substate = f"terminated;reason={subscription.final_reason}"
    else:
        substate = f"active;expires={max(0, int(subscription.expires_at - now))}"
    if credentials is not None:
        extra += f"{credentials[0]}: {credentials[1]}\r\n"
    parameters, etag, content = "", NO_DOCUMENT, NO_CONTENT
    if state is not None:
        parameters, etag = state.event_parameters, state.entity_tag or state.etag
        if not bodiless:
            content = state.content
    return (
        f"NOTIFY {target} SIP/2.0\r\n"
        f"Via: SIP/2.0/{to.transport.upper()} {host_port(to.local)};branch={branch};rport\r\n"
        f"Max-Forwards: 70\r\n{extra}"
        f"From: {dialog.local_uri};tag={dialog.local_tag}\r\n"
        f"To: {dialog.remote_uri}\r\n"
        f"Call-ID: {dialog.call_id}\r\n"
        f"CSeq: {dialog.local_cseq} NOTIFY\r\n"
        f"Contact: <{contact_uri(subscription.flow, dialog, instance)}>\r\n"
        f"Event: {subscription.event}{parameters}\r\n"
        f"Subscription-State: {substate}\r\n"
        f"SIP-ETag: {etag}\r\n"
        f"User-Agent: {AGENT}\r\n"
    ).encode("utf-8", "surrogateescape") + content


def contact_uri(flow: Flow, dialog: Dialog, instance: str = "") -> str:
    """Our own URI on a flow. `gr` says that it always means this server and no other (RFC 5627, RFC 6665 §4.5.1).

    A phone that writes `transport=wss`, as libre does, would take our `ws` for plain WebSocket (RFC 7118 §5.2).
    """
    if not flow.secure and not dialog.secure:
        return _plain_contact(flow.transport, flow.local, instance)
    gruu = f";gr={instance}" if instance else ""
    scheme = "sips" if dialog.secure else "sip"
    transport = _TRANSPORT_PARAMETER[flow.transport]
    if flow.transport == "wss" and ";transport=wss" in dialog.remote_target.lower():
        transport = ";transport=wss"
    elif dialog.secure and flow.transport == "tls":
        transport = ""  # which is what sips means
    return f"{scheme}:{host_port(flow.local)}{transport}{gruu}"


@lru_cache(maxsize=1024)
def _plain_contact(transport: str, local: Endpoint, instance: str) -> str:
    gruu = f";gr={instance}" if instance else ""
    return f"sip:{host_port(local)}{_TRANSPORT_PARAMETER[transport]}{gruu}"
