"""The Contact in the answer to a NOTIFY, which is a target refresh request (RFC 6665 §3.2, RFC 3261 §12.2.1.2)."""

from .dialog import read_contact
from .routing import is_same_host, leads_back
from .subscription import Subscription
from .syntax import Contact, Headers, SIPSyntaxError


def refresh_target(subscription: Subscription, headers: Headers, *, is_trusted: bool) -> bool:
    """Take over what a 2xx to a NOTIFY says of where its phone is; whether that is news.

    One that nobody could be reached at says nothing: none or several, no SIP URI, SIPS where there is no TLS (RFC 3261
    §26.2.2; `is_trusted` peers may), or our own, as a phone has it that answers with what it was sent. Where NOTIFYs
    may go is decided as after a SUBSCRIBE (`routing`).
    """
    dialog = subscription.dialog
    try:
        contact = read_contact(headers)
    except SIPSyntaxError:
        return False
    if contact.text == dialog.remote_target or not _is_theirs(contact, subscription, is_trusted=is_trusted):
        return False
    dialog.remote_target = contact.text
    subscription.goes_back = not dialog.route_set and leads_back(
        contact.uri, subscription.flow, follows=subscription.follows
    )
    return True


def _is_theirs(contact: Contact, subscription: Subscription, *, is_trusted: bool) -> bool:
    flow, uri = subscription.flow, contact.uri
    if uri.scheme == "sips" and not flow.secure and not is_trusted:
        return False
    return not (is_same_host(uri.host, flow.local[0]) and (uri.port or 5060) == flow.local[1])
