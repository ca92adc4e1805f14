"""A SIP notifier (RFC 6665 §4.2), driven by messages, changes and deadlines.

It owns no socket, no clock and no disk. After any call that takes `now`: give what `take_batch` returns to the store
and, once it is durable, to `committed` (or to `commit_failed`); send `messages_to_send()`; tell `events()` to whoever
counts; come back at `next_deadline()`. `now` is in unix seconds and never goes back.
"""

from collections.abc import Callable, Iterable

from .batch import Batch, ReplyItem
from .delivery import Delivery
from .dialog import Dialog, contact_of
from .event_package import EventPackage
from .flow import Flow
from .notify import contact_uri
from .reply import build_response, response_flow
from .settings import NotifierSettings
from .stored import StoredSubscription
from .subscribe import (
    ALLOW,
    KNOWN_METHODS,
    Refused,
    accept_of,
    check_extensions,
    check_uri,
    echoed_event,
    event_of,
    resource_of,
)
from .subscription import (
    Subscription,
    SubscriptionState,
    subscription_id,
)
from .subscription_events import (
    MessageRefused,
    SubscriptionEvent,
    SubscriptionRefreshed,
)
from .syntax import Request, Response, SIPSyntaxError, parse_message
from .transaction import ServerTransaction, TransactionLayer

__all__ = ["Batch", "Notifier", "NotifierSettings"]


class Notifier:
    """Every subscription to one event package."""

    def __init__(self, package: EventPackage, settings: NotifierSettings, new_token: Callable[[], str]) -> None:
        self._package = package
        self._settings = settings
        self._new_token = new_token
        self._outbox: list[tuple[bytes, Flow]] = []
        self._events: list[SubscriptionEvent] = []
        self._layer = TransactionLayer(self._outbox, settings.timers)
        self._delivery = Delivery(package, settings, new_token, self._layer, self._events)
        self.subscriptions = self._delivery.subscriptions
        self.take_batch = self._delivery.take_batch
        self.restore = self._delivery.restore
        self.state_changed = self._delivery.state_changed
        self.transport_failed = self._delivery.transport_failed
        self.committed = self._delivery.committed
        self.commit_failed = self._delivery.commit_failed
        self.handle_deadline = self._delivery.handle_deadline
        self.next_deadline = self._delivery.next_deadline

    def __len__(self) -> int:
        return len(self._delivery)

    # -- what the shell asks -----------------------------------------------------------------------------------

    def messages_to_send(self) -> list[tuple[bytes, Flow]]:
        """What is to be sent now, in order."""
        messages = self._outbox[:]
        self._outbox.clear()
        return messages

    def events(self) -> list[SubscriptionEvent]:
        """What happened since the last call."""
        events = self._events[:]
        self._events.clear()
        return events

    # -- messages ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow, *, now: float) -> None:
        """One message from the wire."""
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                self._delivery.receive_response(message, now)
                return
            message.check()
            if len(data) > self._settings.message_bytes:
                error = SIPSyntaxError("Message Too Large", status=513)
                error.request = message
                raise error
        except SIPSyntaxError as error:
            self.refuse(error, flow)
            return
        transaction = self._layer.receive_request(message, response_flow(message, flow))
        if transaction is not None:
            self._receive_request(message, transaction, flow, now)

    def refuse(self, error: SIPSyntaxError, flow: Flow) -> None:
        """400 and its kin, statelessly (RFC 3261 §8.2.7); silence for what cannot be answered, and for an ACK."""
        request: Request | None = error.request
        answerable = request is not None and request.method != "ACK" and request.headers.get("via") is not None
        if request is not None and answerable:
            reason = error.reason if error.status == 400 else ""
            self._outbox.append((build_response(request, flow, error.status, reason), response_flow(request, flow)))
        self._events.append(MessageRefused(flow.remote[0], error.status if answerable else 0, error.reason))

    def _receive_request(self, request: Request, transaction: ServerTransaction, flow: Flow, now: float) -> None:
        try:
            if self._layer.is_merged(transaction):
                raise Refused(482)
            match request.method:
                case "SUBSCRIBE":
                    self._subscribe(request, transaction, flow, now)
                case "OPTIONS":
                    check_uri(request)
                    check_extensions(request)
                    self._reply(request, transaction, flow, 200, now, self._capabilities())
                case "CANCEL":
                    # RFC 3261 §9.2: too late for whatever it names, which is answered at once.
                    self._reply(request, transaction, flow, 200 if self._layer.cancels(request) else 481, now)
                case method if method in KNOWN_METHODS:
                    raise Refused(405, "", ("Allow", ALLOW))
                case _:
                    raise Refused(501, "", ("Allow", ALLOW))
        except Refused as refused:
            self._reply(request, transaction, flow, refused.status, now, refused.fields, refused.reason)
            self._events.append(MessageRefused(flow.remote[0], refused.status, refused.reason))

    def _capabilities(self) -> tuple[tuple[str, str], ...]:
        """RFC 3261 §11.2, RFC 6665 §4.4.4."""
        return (
            ("Allow", ALLOW),
            ("Allow-Events", self._package.name),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Accept-Language", "en"),
            ("Supported", ""),
        )

    def _reply(
        self,
        request: Request,
        transaction: ServerTransaction,
        flow: Flow,
        status: int,
        now: float,
        fields: Iterable[tuple[str, str]] = (),
        reason: str = "",
    ) -> None:
        self._layer.respond(transaction, build_response(request, flow, status, reason, fields=fields), now=now)

    # -- SUBSCRIBE ---------------------------------------------------------------------------------------------

    def _subscribe(self, request: Request, transaction: ServerTransaction, flow: Flow, now: float) -> None:
        """protocol.md 5.1, in its order."""
        try:
            check_uri(request)
            check_extensions(request)
            if request.to.tag is not None:
                self._resubscribe(request, transaction, flow, now)
                return
            contact = contact_of(request)
            event = event_of(request, self._package)
            accept = accept_of(request)
            resource = resource_of(request, event, accept, flow, self._package)
            expires = self._settings.durations.grant(request)
            if self._delivery.is_full_for(flow.remote[0], fetch=expires == 0):
                raise Refused(503, "", ("Retry-After", "60"))
            dialog = Dialog.from_request(request, contact, self._new_token())
        except SIPSyntaxError as error:
            raise Refused(400, error.reason) from error
        subscription = Subscription(dialog, resource, echoed_event(event), event.id, flow)
        subscription.accept = accept
        subscription.user_agent = request.headers.get("user-agent")
        parameters = event.parameters
        vendor = parameters.get("vendor") or parameters.get("vender")  # sic: Panasonic, phones.md 3
        subscription.vendor = (vendor, parameters.get("model"), parameters.get("version"))
        subscription.expires_at = now + expires
        if expires == 0:
            subscription.stored = False  # a fetch (RFC 6665 §4.4.3)
            self._delivery.terminate(subscription, "timeout")
        else:
            self._delivery.keep(subscription)
            self._delivery.arm(subscription, subscription.expires_at)
            self._delivery.save(subscription)
        self._accept(request, transaction, flow, subscription, expires)
        subscription.owed = True
        self._delivery.consider(subscription, now)

    def _resubscribe(self, request: Request, transaction: ServerTransaction, flow: Flow, now: float) -> None:
        """A SUBSCRIBE inside a dialog: refresh, poll or end (RFC 6665 §4.2.1.4). It starts the clock anew."""
        subscription = self._delivery.find(subscription_id(request.call_id, request.to.tag or ""))
        if (
            subscription is None
            or subscription.state is SubscriptionState.TERMINATED
            or subscription.dialog.remote_tag != (request.from_.tag or "")
        ):
            raise Refused(481)
        if request.cseq <= subscription.dialog.remote_cseq:
            raise Refused(500, "CSeq out of order")  # RFC 3261 §12.2.2
        subscription.dialog.remote_cseq = request.cseq
        self._delivery.save(subscription)
        event = event_of(request, self._package)
        if event.id != subscription.event_id:
            raise Refused(403, "Dialog sharing is not supported")  # RFC 6665 §4.5.2
        expires = self._settings.durations.grant(request)
        accept = accept_of(request) if request.headers.get("accept") is not None else subscription.accept
        if not self._package.accepts(subscription.resource, accept):
            raise Refused(406)
        before = subscription.to_stored()
        if request.headers.get("contact") is not None:
            subscription.dialog.remote_target = contact_of(request).uri  # a target refresh request
        subscription.flow = flow
        subscription.accept = accept
        subscription.expires_at = now + expires
        subscription.retry_at = 0.0
        if expires == 0:
            self._delivery.terminate(subscription, "timeout")
        else:
            self._delivery.arm(subscription, subscription.expires_at)
            self._delivery.save(subscription)
            self._events.append(SubscriptionRefreshed(subscription.id, subscription.resource, expires))
        self._delivery.supersede(subscription)
        self._accept(request, transaction, flow, subscription, expires, before)
        subscription.owed = True
        self._delivery.consider(subscription, now)

    def _accept(
        self,
        request: Request,
        transaction: ServerTransaction,
        flow: Flow,
        subscription: Subscription,
        expires: int,
        before: StoredSubscription | None = None,
    ) -> None:
        """The 200, which leaves only when the batch is durable (I6), and before the NOTIFY (stacks.md, JsSIP)."""
        dialog = subscription.dialog
        fields = [
            ("Expires", str(expires)),
            ("Contact", f"<{contact_uri(flow, dialog.secure)}>"),
            ("Allow-Events", self._package.name),
            *(("Record-Route", value) for value in request.headers.all("record-route")),
        ]
        data = build_response(request, flow, 200, to_tag=dialog.local_tag, fields=fields)
        self._delivery.batch.items.append(ReplyItem(transaction, data, request, flow, subscription, before))
