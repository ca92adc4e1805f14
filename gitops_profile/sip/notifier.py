"""A SIP notifier (RFC 6665 §4.2), driven by messages, changes and deadlines.

It owns no socket, no clock and no disk. After any call that takes `now`: give what `take_batch` returns to the store
and, once it is durable, to `committed` (or to `commit_failed`); send `messages_to_send()`; tell `events()` to whoever
counts; come back at `next_deadline()`. `now` is in unix seconds and never goes back.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count

from .batch import Batch, NotifyItem, ReplyItem
from .dialog import Dialog, contact_of
from .event_package import EventPackage, EventState
from .flow import Flow
from .notify import MAX_DATAGRAM, build_notify, contact_uri, notify_flow
from .pacing import Pacing
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
    ENDING_ANSWERS,
    NO_DOCUMENT,
    TIMED_OUT,
    TRANSPORT_FAILED,
    Subscription,
    SubscriptionState,
    subscription_id,
)
from .subscription_events import (
    MessageRefused,
    NotifyAnswered,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionRefreshed,
    SubscriptionStarted,
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
        self._batch = Batch()
        self._layer = TransactionLayer(self._outbox, settings.timers)
        self._pacing = Pacing(settings.notify_rate, settings.notify_in_flight)
        self._subscriptions: dict[str, Subscription] = {}
        self._by_resource: dict[str, dict[str, Subscription]] = {}
        self._per_source: Counter[str] = Counter()
        self._heap: list[tuple[float, int, Subscription | Batch]] = []
        self._number = count()
        self._branches: dict[str, Subscription] = {}

    # -- what the shell asks -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._subscriptions)

    def subscriptions(self) -> Iterable[Subscription]:
        """Every subscription held."""
        return self._subscriptions.values()

    def messages_to_send(self) -> list[tuple[bytes, Flow]]:
        """What is to be sent now, in order."""
        messages = self._outbox[:]
        self._outbox.clear()
        return messages

    def events(self) -> list[SubscriptionEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def take_batch(self) -> Batch | None:
        """What must be durable before its messages may leave (invariant I6), or None."""
        if self._batch.empty:
            return None
        batch, self._batch = self._batch, Batch()
        batch.seal()
        return batch

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is wanted next."""
        times = [self._layer.next_deadline(), self._heap[0][0] if self._heap else None, self._pacing.next_deadline()]
        known = [time for time in times if time is not None]
        return min(known) if known else None

    def restore(self, rows: Iterable[StoredSubscription], *, now: float) -> None:
        """Take up the subscriptions of an earlier life; whoever misses a change is told, nobody else (I3, I6)."""
        for row in rows:
            subscription = Subscription.from_stored(row)
            self._keep(subscription)
            self._arm(subscription, subscription.expires_at)
            self._consider(subscription, now)
        self._drain(now)

    # -- messages ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow, *, now: float) -> None:
        """One message from the wire."""
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                self._receive_response(message, now)
                return
            message.check()
        except SIPSyntaxError as error:
            self._refuse_malformed(error, flow)
            return
        transaction = self._layer.receive_request(message, response_flow(message, flow))
        if transaction is not None:
            self._receive_request(message, transaction, flow, now)

    def _refuse_malformed(self, error: SIPSyntaxError, flow: Flow) -> None:
        """400 and its kin, statelessly (RFC 3261 §8.2.7); silence for what cannot be answered, and for an ACK."""
        request = error.request
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
            self._check_bounds(flow)
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
            self._terminate(subscription, "timeout")
        else:
            self._keep(subscription)
            self._arm(subscription, subscription.expires_at)
            self._save(subscription)
        self._accept(request, transaction, flow, subscription, expires)
        subscription.owed = True
        self._consider(subscription, now)

    def _check_bounds(self, flow: Flow) -> None:
        """Bounds of invariant I9. Loopback is no source: it is a proxy on the same host, or a laboratory."""
        settings = self._settings
        source = flow.remote[0]
        full = len(self._subscriptions) >= settings.max_subscriptions
        greedy = self._per_source[source] >= settings.max_per_source and source not in settings.unlimited_sources
        if full or (greedy and not source.startswith("127.") and source != "::1"):
            raise Refused(503, "", ("Retry-After", "60"))

    def _resubscribe(self, request: Request, transaction: ServerTransaction, flow: Flow, now: float) -> None:
        """A SUBSCRIBE inside a dialog: refresh, poll or end (RFC 6665 §4.2.1.4). It starts the clock anew."""
        subscription = self._subscriptions.get(subscription_id(request.call_id, request.to.tag or ""))
        if (
            subscription is None
            or subscription.state is SubscriptionState.TERMINATED
            or subscription.dialog.remote_tag != (request.from_.tag or "")
        ):
            raise Refused(481)
        if request.cseq <= subscription.dialog.remote_cseq:
            raise Refused(500, "CSeq out of order")  # RFC 3261 §12.2.2
        subscription.dialog.remote_cseq = request.cseq
        self._save(subscription)
        event = event_of(request, self._package)
        if event.id != subscription.event_id:
            raise Refused(403, "Dialog sharing is not supported")  # RFC 6665 §4.5.2
        expires = self._settings.durations.grant(request)
        if request.headers.get("contact") is not None:
            subscription.dialog.remote_target = contact_of(request).uri  # a target refresh request
        subscription.flow = flow
        if request.headers.get("accept") is not None:
            subscription.accept = accept_of(request)
        subscription.expires_at = now + expires
        subscription.retry_at = 0.0
        if expires == 0:
            self._terminate(subscription, "timeout")
        else:
            self._arm(subscription, subscription.expires_at)
            self._save(subscription)
            self._events.append(SubscriptionRefreshed(subscription.id, subscription.resource, expires))
        self._accept(request, transaction, flow, subscription, expires)
        subscription.owed = True
        self._consider(subscription, now)

    def _accept(
        self, request: Request, transaction: ServerTransaction, flow: Flow, subscription: Subscription, expires: int
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
        self._batch.items.append(ReplyItem(transaction, data, request, flow, subscription))

    # -- NOTIFY ------------------------------------------------------------------------------------------------

    def state_changed(self, resources: Iterable[str], *, now: float) -> None:
        """The event state of these resources may be another one: tell those who do not have it (invariant I3)."""
        for resource in resources:
            for subscription in self._by_resource.get(resource, {}).values():
                subscription.retry_at = 0.0
                if subscription.in_flight is None and not subscription.queued:
                    # Only queued: whether it is owed a NOTIFY is decided when its turn comes, so that a change of
                    # everything does not hold up the loop (invariant I8).
                    subscription.queued = True
                    self._pacing.append(subscription)
        self._drain(now)

    def _consider(self, subscription: Subscription, now: float) -> None:
        """The one decision for every NOTIFY: is this subscriber owed one, and may it go now?"""
        if subscription.in_flight is not None or subscription.queued:
            return  # RFC 3261 allows more; one at a time keeps them in order, and the newest state wins
        if subscription.owed:
            self._emit(subscription, now)
        elif subscription.state is SubscriptionState.ACTIVE and now >= subscription.retry_at:
            state = self._package.state(subscription.resource, subscription.accept)
            if (state.etag if state else NO_DOCUMENT) != subscription.acknowledged_etag:
                subscription.queued = True
                self._pacing.append(subscription)

    def _drain(self, now: float) -> None:
        """Send what the pace allows; what was queued is looked at again, for it may have changed back."""
        while (subscription := self._pacing.pop(now)) is not None:
            subscription.queued = False
            if subscription.in_flight is not None or subscription.state is SubscriptionState.TERMINATED:
                continue
            state = self._package.state(subscription.resource, subscription.accept)
            if (state.etag if state else NO_DOCUMENT) == subscription.acknowledged_etag and not subscription.owed:
                continue
            if state is None and self._settings.end_removed:
                self._terminate(subscription, "noresource")
            self._emit(subscription, now)
            if subscription.in_flight is not None:
                self._pacing.take_slot(subscription.in_flight)

    def _emit(self, subscription: Subscription, now: float) -> None:
        """Put the next NOTIFY into the batch. What the phone has is unknown from here until it answers."""
        state = self._package.state(subscription.resource, subscription.accept)
        subscription.owed = False
        subscription.dialog.local_cseq += 1
        branch = "z9hG4bK" + self._new_token()
        flow = notify_flow(subscription)
        data = build_notify(subscription, state, branch, flow, now=now)
        if len(data) > MAX_DATAGRAM and not flow.reliable and state is not None:
            # It cannot leave as one datagram: say what changed, not the document (the operator sees the reason).
            state = EventState(state.etag, b"Content-Length: 0\r\n\r\n", 0, state.event_parameters, "too large for UDP")
            data = build_notify(subscription, state, branch, flow, now=now)
        etag = state.etag if state is not None else NO_DOCUMENT
        if etag != subscription.acknowledged_etag:
            subscription.acknowledged_etag = None
        subscription.in_flight = branch
        subscription.delivery = "notified"
        self._branches[branch] = subscription
        withheld = state.withheld if state is not None else None
        self._batch.items.append(NotifyItem(branch, data, flow, subscription, etag, withheld))
        self._save(subscription)

    def _receive_response(self, response: Response, now: float) -> None:
        transaction = self._layer.receive_response(response)
        if transaction is not None:
            retry_after = response.headers.get("retry-after") or ""
            seconds = int(retry_after.split("(")[0].split(";")[0].strip() or 0) if retry_after[:1].isdigit() else 0
            self._answered(transaction.owner, response.status, min(seconds, 86400), now - transaction.started, now)
            self._drain(now)

    def _answered(self, item: NotifyItem, status: int, retry_after: int, seconds: float, now: float) -> None:
        """The end of a NOTIFY transaction (RFC 6665 §4.2.2)."""
        subscription = item.subscription
        self._pacing.free_slot(item.branch)
        self._branches.pop(item.branch, None)
        if subscription.in_flight != item.branch:
            return
        subscription.in_flight = None
        self._events.append(NotifyAnswered(subscription.id, subscription.resource, status, item.etag, seconds))
        if subscription.state is SubscriptionState.TERMINATED:
            if subscription.owed and status not in ENDING_ANSWERS:
                self._emit(subscription, now)  # the terminating one had to wait for this one
            return
        if 200 <= status < 300:
            subscription.acknowledged_etag = item.etag
            subscription.failures = 0
            subscription.delivery = "faulted" if item.withheld else "acknowledged"
            subscription.delivered_at = now
        elif status in ENDING_ANSWERS:
            # §4.2.2: and no NOTIFY about it. The phone is gone, or knows nothing of this dialog.
            self._terminate(subscription, f"NOTIFY answered {status}" if status != TIMED_OUT else "NOTIFY unanswered")
            return
        else:
            self._failed(subscription, status, retry_after, now)
        self._save(subscription)
        self._consider(subscription, now)

    def _failed(self, subscription: Subscription, status: int, retry_after: int, now: float) -> None:
        """Any other failure leaves the subscription as it is; the NOTIFY is tried again later (RFC 6665 §4.2.2)."""
        subscription.delivery = "faulted"
        subscription.failures += 1
        if status == TRANSPORT_FAILED and subscription.flow.reliable and not retry_after:
            # The flow is gone (RFC 5626 §4.3): the phone's next SUBSCRIBE, or the next change, is the next try.
            subscription.retry_at = subscription.expires_at
            return
        pause = max(retry_after, min(2 ** min(subscription.failures, 10), self._settings.max_retry))
        subscription.retry_at = now + pause
        self._arm(subscription, subscription.retry_at)

    def transport_failed(self, data: bytes, flow: Flow, *, now: float) -> None:
        """`data` could not be sent (RFC 3261 §18.4). A failed response is the peer's to ask for again."""
        if not data.startswith(b"NOTIFY "):
            return
        start = data.find(b";branch=") + len(b";branch=")
        transaction = self._layer.drop_client(data[start : data.find(b";", start)].decode("ascii", "replace"))
        if transaction is not None:
            self._answered(transaction.owner, TRANSPORT_FAILED, 0, now - transaction.started, now)
            self._drain(now)

    # -- the store's word --------------------------------------------------------------------------------------

    def committed(self, batch: Batch, *, now: float) -> None:
        """What the batch holds is durable: its messages may leave."""
        for item in batch.items:
            subscription = item.subscription
            if isinstance(item, ReplyItem):
                self._layer.respond(item.transaction, item.data, now=now)
                if subscription.fresh and subscription.stored:
                    left = int(subscription.expires_at - now)
                    source = item.flow.remote[0]
                    self._events.append(SubscriptionStarted(subscription.id, subscription.resource, source, left))
                subscription.fresh = False
            elif subscription.in_flight == item.branch:
                self._layer.send_request(item.branch, item.data, item.flow, item, now=now)

    def commit_failed(self, batch: Batch, *, now: float) -> None:
        """Nothing of the batch is durable: nothing of it is acknowledged, and it is tried again (I6)."""
        for item in batch.items:
            subscription = item.subscription
            if isinstance(item, ReplyItem):
                fields = (("Retry-After", "10"),)
                data = build_response(item.request, item.flow, 503, to_tag=subscription.dialog.local_tag, fields=fields)
                self._layer.respond(item.transaction, data, now=now)
                if subscription.fresh:
                    self._forget(subscription)
            elif subscription.in_flight == item.branch:
                subscription.in_flight = None
                self._pacing.free_slot(item.branch)
                self._branches.pop(item.branch, None)
                subscription.owed = subscription.final_reason is not None
                subscription.retry_at = now + self._settings.store_retry
        batch.items.clear()
        heapq.heappush(self._heap, (now + self._settings.store_retry, next(self._number), batch))

    def _again(self, batch: Batch, now: float) -> None:
        for id_ in batch.deletes:
            self._batch.delete(id_)
        for row in batch.rows:
            subscription = self._subscriptions.get(row.id)
            if subscription is not None:
                self._save(subscription)
                self._consider(subscription, now)

    # -- time --------------------------------------------------------------------------------------------------

    def handle_deadline(self, *, now: float) -> None:
        """Do what is due: retransmissions, expiries, later tries."""
        timed_out, repeated = self._layer.handle_deadline(now=now)
        for transaction in repeated:
            # A silent phone gives its place up after T1, or the silent ones would hold up all others for 32 s.
            self._pacing.free_slot(transaction.branch)
        for transaction in timed_out:
            self._answered(transaction.owner, TIMED_OUT, 0, now - transaction.started, now)
        while self._heap and self._heap[0][0] <= now:
            _, _, due = heapq.heappop(self._heap)
            if isinstance(due, Batch):
                self._again(due, now)
            elif self._subscriptions.get(due.id) is due:
                self._alarm(due, now)
        self._drain(now)

    def _alarm(self, subscription: Subscription, now: float) -> None:
        subscription.alarm_at = float("inf")
        if subscription.expires_at <= now:
            self._terminate(subscription, "timeout")  # RFC 6665 §4.2.1.4
            subscription.owed = True
        else:
            later = subscription.retry_at if subscription.retry_at > now else subscription.expires_at
            self._arm(subscription, min(later, subscription.expires_at))
        self._consider(subscription, now)

    def _arm(self, subscription: Subscription, at: float) -> None:
        """Look at the subscription at `at`, or before: one entry in the heap is enough, the earliest."""
        if at < subscription.alarm_at:
            subscription.alarm_at = at
            heapq.heappush(self._heap, (at, next(self._number), subscription))

    # -- bookkeeping -------------------------------------------------------------------------------------------

    def _save(self, subscription: Subscription) -> None:
        if subscription.stored and subscription.state is SubscriptionState.ACTIVE:
            self._batch.save(subscription)

    def _keep(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.id] = subscription
        self._by_resource.setdefault(subscription.resource, {})[subscription.id] = subscription
        self._per_source[subscription.source] += 1

    def _terminate(self, subscription: Subscription, reason: str) -> None:
        """End a subscription; whoever wants a terminating NOTIFY sets `owed` or emits it."""
        subscription.state = SubscriptionState.TERMINATED
        subscription.final_reason = reason
        if subscription.stored:
            self._forget(subscription)
            self._batch.delete(subscription.id)
            self._events.append(SubscriptionEnded(subscription.id, subscription.resource, reason))

    def _forget(self, subscription: Subscription) -> None:
        if self._subscriptions.pop(subscription.id, None) is None:
            return
        subscription.state = SubscriptionState.TERMINATED
        same = self._by_resource[subscription.resource]
        same.pop(subscription.id, None)
        if not same:
            del self._by_resource[subscription.resource]
        self._per_source[subscription.source] -= 1
        if self._per_source[subscription.source] <= 0:
            del self._per_source[subscription.source]
