"""SUBSCRIBE: a new subscription, a refresh, a poll, an end (RFC 6665 §4.2.1, protocol.md 5.1)."""

from collections.abc import Callable

from .access import AccessControl
from .audience import Audience, audience_like, shared_agent
from .batch import ReplyItem
from .delivery import Delivery
from .dialog import Dialog, contact_of
from .event_package import EventPackage
from .flow import Flow
from .notify import contact_uri
from .refusal import Refused
from .reply import build_response
from .routing import is_same_host, leads_back
from .settings import NotifierSettings
from .subscribe import (
    audience_of,
    check_extensions,
    check_size,
    check_uri,
    condition_of,
    domain_of,
    echoed_event,
    event_of,
    is_protected,
    resource_of,
)
from .subscription import Subscription, SubscriptionState, Terms, etag_of, subscription_id
from .subscription_events import SubscriptionEvent, SubscriptionRefreshed
from .syntax import URI, Request
from .transaction import ServerTransaction

OUT_OF_ORDER = "CSeq out of order"
NOT_YOURS = "Not provisioned"
"""For what is not there and for what is somebody else's: they cannot be told apart from outside (invariant I10)."""


class Subscribing:
    """What becomes of a SUBSCRIBE. Refusals are raised as Refused or SIPSyntaxError, whoever called answers them."""

    def __init__(
        self,
        package: EventPackage,
        access: AccessControl,
        settings: NotifierSettings,
        new_token: Callable[[], str],
        delivery: Delivery,
        happened: list[SubscriptionEvent],
    ) -> None:
        self._package = package
        self._access = access
        self._settings = settings
        self._new_token = new_token
        self._delivery = delivery
        self._events = happened

    def subscribe(self, request: Request, transaction: ServerTransaction, flow: Flow, now: float) -> None:
        """protocol.md 5.1, in its order."""
        check_uri(request, flow)
        if not request.plain:
            check_extensions(request)
            check_size(request)
        if request.to_tag is not None:
            self._resubscribe(request, transaction, flow, now)
            return
        subscription, expires = self._new_subscription(request, flow, now)
        if expires == 0:
            self._delivery.fetches.begin(subscription)
            self._delivery.terminate(subscription, "timeout")
        else:
            self._delivery.registry.keep(subscription)
            self._delivery.arm(subscription, subscription.ends_at)
            self._delivery.save(subscription)
        self._accept(request, transaction, flow, subscription, expires)
        subscription.owed = True
        self._delivery.consider(subscription, now, beside_reply=True)

    def _new_subscription(self, request: Request, flow: Flow, now: float) -> tuple[Subscription, int]:
        """The subscription that an initial SUBSCRIBE makes, and its seconds; raises Refused or SIPSyntaxError."""
        contact = contact_of(request)
        event = event_of(request, self._package)
        identity = self._access.identify(request, flow, domain_of(request, self._package), now=now)
        resource = resource_of(request, event, self._package)
        if not self._access.permits(identity, resource):
            raise Refused(403, NOT_YOURS)
        audience = audience_of(request, event, contact, flow, identity, self._package)
        if not self._package.accepts(resource, audience):
            raise Refused(406)
        expires = self._settings.durations.grant(request)
        registry, admission = self._delivery.registry, self._delivery.admission
        if expires == 0:
            self._delivery.make_room_for_fetch(now)
        admission.check(flow, len(registry), registry.count_to(resource), fetch=expires == 0)
        if identity is None:
            admission.check_unverified(flow, now=now)
        dialog = Dialog.from_request(request, contact, self._new_token(), over_tls=flow.secure)
        hop = dialog.next_hop() if dialog.route_set else contact.uri
        self._check_sips(hop, flow)
        follows = self._may_follow(request, flow, identity)
        subscription = Subscription(
            dialog, resource, echoed_event(event), event.id, flow,
            subscription_id(dialog.call_id, dialog.local_tag), flow.source, audience, identity, follows,
            goes_back=not dialog.route_set and leads_back(hop, flow, follows=follows),
            suppress=None if request.plain else condition_of(request),
            expires_at=now + expires,
            user_agent=shared_agent(request.user_agent),
        )  # fmt: skip
        return subscription, expires

    def _check_sips(self, hop: URI, flow: Flow) -> None:
        """SIPS is for TLS only: the NOTIFYs could not go there in the clear (RFC 3261 §26.2.2); raises Refused."""
        if hop.scheme == "sips" and not flow.secure and not self._access.trusts(flow):
            raise Refused(400, "SIPS needs TLS")

    def _may_follow(self, request: Request, flow: Flow, identity: str | None) -> bool:
        """Whether NOTIFYs may go where the dialog says: not for strangers, and not to a private address behind a NAT.

        Whoever is behind one says in his Via another address than the packet has (RFC 3581).
        """
        return self._access.trusts(flow) or (identity is not None and is_same_host(request.via.host, flow.remote[0]))

    def in_dialog(self, request: Request) -> Subscription:
        """The subscription of a request with a To tag; raises Refused (RFC 3261 §12.2.2)."""
        subscription = self._delivery.registry.find(subscription_id(request.call_id, request.to_tag or ""))
        if (
            subscription is None
            or subscription.state is SubscriptionState.TERMINATED
            or subscription.dialog.remote_tag != request.from_tag
        ):
            raise Refused(481)
        if request.cseq < subscription.dialog.remote_cseq:
            raise Refused(500, OUT_OF_ORDER)
        return subscription

    def use_cseq(self, request: Request, subscription: Subscription, identity: str | None = None) -> None:
        """From here on the CSeq is used, whatever is answered; raises Refused when it has been already.

        Not before it is known who asks (RFC 3261 §8.2): a stranger uses nothing up. Whoever has just shown who he is
        has shown that this is no repetition: SIP.js forgets the CSeq with which it answered a challenge. And after a
        restart one may be repeated whose answer was lost with the server: it has its answer (RFC 3261 §12.2.2 refuses
        lower numbers only).
        """
        if request.cseq == subscription.dialog.remote_cseq and identity is None and not subscription.from_before:
            raise Refused(500, OUT_OF_ORDER)
        subscription.from_before = False
        subscription.dialog.remote_cseq = request.cseq
        self._delivery.save(subscription)

    def _resubscribe(self, request: Request, transaction: ServerTransaction, flow: Flow, now: float) -> None:
        """A SUBSCRIBE inside a dialog: refresh, poll or end (RFC 6665 §4.2.1.4). It starts the clock anew."""
        subscription = self.in_dialog(request)
        event = event_of(request, self._package)
        identity = self._same_identity(request, flow, subscription, now)
        self.use_cseq(request, subscription, identity)
        if event.id != subscription.event_id:
            # RFC 6665 §4.5.2. RFC 6080 §6.2.1: the dialog says which profile it is, so there is nothing to share.
            raise Refused(403, "Dialog sharing is not supported")
        if subscription.dialog.secure and not flow.secure:
            raise Refused(403, "A SIPS dialog stays on TLS")  # RFC 3261 §26.2.2: no NOTIFY could follow
        expires = self._settings.durations.grant(request)
        audience, target, hop = self._refreshed(request, flow, subscription, identity)
        before = subscription.terms()
        subscription.dialog.remote_target = target
        subscription.flow = flow
        subscription.audience = audience
        subscription.follows = self._may_follow(request, flow, identity)
        subscription.goes_back = hop is not None and leads_back(hop, flow, follows=subscription.follows)
        subscription.suppress = None if request.plain else condition_of(request)
        subscription.proven = True  # only who got our answer knows its tag
        subscription.expires_at = now + expires
        subscription.retry_at = 0.0
        crossing = self._delivery.supersede(subscription)
        unchanged = subscription.suppress is not None and self._has_it(subscription, crossing, now)
        if expires == 0:
            self._delivery.terminate(subscription, "timeout")
        else:
            self._delivery.arm(subscription, subscription.ends_at)
            self._delivery.save(subscription)
            self._events.append(SubscriptionRefreshed(subscription.id, subscription.resource, expires))
        self._accept(request, transaction, flow, subscription, expires, before, status=204 if unchanged else 200)
        subscription.owed = not unchanged
        if subscription.owed:
            self._delivery.consider(subscription, now)

    def _has_it(self, subscription: Subscription, crossing: str | None, now: float) -> bool:
        """Whether the phone wants no NOTIFY, and knows what it says: `crossing` is on its way to it."""
        state = self._delivery.state(subscription)
        if crossing not in (None, etag_of(state)) and subscription.suppress != "*":
            subscription.suppress = None  # the phone has not seen yet what is on its way, and will (invariant I3)
        if not subscription.is_suppressed(state):
            return False
        if subscription.suppress != "*":  # which says nothing of what it has
            subscription.acknowledged_etag = etag_of(state)
            subscription.delivery, subscription.delivered_at = "acknowledged", now
        return True

    def _same_identity(self, request: Request, flow: Flow, subscription: Subscription, now: float) -> str | None:
        """Who refreshes, who must be who subscribed and may still have it; raises Refused."""
        domain = self._package.domain_of(subscription.resource)
        identity = self._access.identify(request, flow, domain, now=now)
        if identity != subscription.identity or not self._access.permits(identity, subscription.resource):
            raise Refused(403, NOT_YOURS)
        return identity

    def _refreshed(
        self, request: Request, flow: Flow, subscription: Subscription, identity: str | None
    ) -> tuple[Audience, str, URI | None]:
        """Audience, remote target and next hop after a refresh, which leaves out what has not changed.

        None for the hop when that is for `routing` to find out.
        """
        old, target, hop = subscription.audience, subscription.dialog.remote_target, None
        accept, schemes = old.accept, old.schemes
        if request.accept is not None:
            accept = request.accept
        if request.contact is not None or request.headers.get("contact") is not None:
            contact = contact_of(request)  # a target refresh request (RFC 6665 §4.3)
            target = contact.text
            if not subscription.dialog.route_set:
                hop = contact.uri
                self._check_sips(hop, flow)
            schemes = contact.parameters.get("schemes")
        audience = audience_like(
            accept, old.vendor, old.model, old.version, schemes, identity is not None, is_protected(request, flow)
        )
        if not self._package.accepts(subscription.resource, audience):
            raise Refused(406)
        return audience, target, hop

    def _accept(
        self,
        request: Request,
        transaction: ServerTransaction,
        flow: Flow,
        subscription: Subscription,
        expires: int,
        before: Terms | None = None,
        status: int = 200,
    ) -> None:
        """The 2xx, which leaves only when the batch is durable (I6), and before the NOTIFY (stacks.md, JsSIP).

        204 promises that no NOTIFY follows (RFC 5839 §7.1).
        """
        dialog = subscription.dialog
        contact = contact_uri(flow, dialog, self._settings.instance)
        lines = f"Expires: {expires}\r\nContact: <{contact}>\r\nAllow-Events: {self._package.name}\r\n"
        if not request.plain:
            lines += "".join([f"Record-Route: {route}\r\n" for route in request.headers.all("record-route")])
        data = build_response(request, flow, status, to_tag=dialog.local_tag, lines=lines)
        self._delivery.held.batch.items.append(ReplyItem(transaction, data, request, flow, subscription, before))
