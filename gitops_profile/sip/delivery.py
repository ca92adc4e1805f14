"""Delivery: every subscription, what it was told, what it is owed, and the NOTIFYs on their way (RFC 6665 §4.2.2).

One decision for every NOTIFY (`consider`), one place that sends it (`_emit`), one that hears how it went (`_answered`).
"""

import heapq
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count

from .batch import Batch, NotifyItem, ReplyItem
from .event_package import NO_CONTENT, EventPackage, EventState
from .flow import Flow
from .notify import MAX_DATAGRAM, build_notify, notify_flow
from .pacing import Pacing
from .reply import build_response
from .settings import NotifierSettings
from .stored import StoredSubscription
from .subscription import (
    ENDING_ANSWERS,
    TIMED_OUT,
    TRANSPORT_FAILED,
    Subscription,
    SubscriptionState,
    etag_of,
)
from .subscription_events import NotifyAnswered, SubscriptionEnded, SubscriptionEvent, SubscriptionStarted
from .syntax import Response
from .transaction import TransactionLayer

_SECONDS = re.compile(r"[0-9]{1,9}")
MAX_RETRY_AFTER = 86400
"""Seconds at most that a phone may ask for; it would be without its document for as long."""
FETCH_TRANSMISSIONS = 4
"""Of a NOTIFY that answers a fetch over UDP: nobody has shown yet that he is where the packet said (RFC 6665 §6.3)."""


class Delivery:
    """The notifier's subscriptions and their NOTIFYs."""

    def __init__(
        self,
        package: EventPackage,
        settings: NotifierSettings,
        new_token: Callable[[], str],
        layer: TransactionLayer,
        happened: list[SubscriptionEvent],
    ) -> None:
        self._package = package
        self._settings = settings
        self._new_token = new_token
        self._layer = layer
        self._events = happened
        self.batch = Batch()
        self._pacing = Pacing(settings.notify_rate, settings.notify_in_flight)
        self._subscriptions: dict[str, Subscription] = {}
        self._by_resource: dict[str, dict[str, Subscription]] = {}
        self._per_source: Counter[str] = Counter()
        self._heap: list[tuple[float, int, Subscription | Batch]] = []
        self._number = count()
        self._fetches = 0
        """Fetches whose NOTIFY is unanswered: they hold a document each, and no subscription counts them."""

    def find(self, id_: str) -> Subscription | None:
        """The subscription held under an id."""
        return self._subscriptions.get(id_)

    def is_full_for(self, source: str, *, fetch: bool) -> bool:
        """Whether one more subscription, or fetch, from `source` would pass a bound (invariant I9).

        Loopback is no source: it is a proxy on the same host, or a laboratory.
        """
        settings = self._settings
        if fetch and self._fetches >= settings.max_fetches:
            return True
        if len(self._subscriptions) >= settings.max_subscriptions:
            return True
        if self._per_source[source] < settings.max_per_source:
            return False
        address = ipaddress.ip_address(source)
        return not (address.is_loopback or any(address in network for network in settings.unlimited_sources))

    def __len__(self) -> int:
        return len(self._subscriptions)

    def subscriptions(self) -> Iterable[Subscription]:
        """Every subscription held."""
        return self._subscriptions.values()

    def take_batch(self) -> Batch | None:
        """What must be durable before its messages may leave (invariant I6), or None."""
        if self.batch.empty:
            return None
        batch, self.batch = self.batch, Batch()
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
            self.keep(subscription)
            self.arm(subscription, subscription.expires_at)
            self.consider(subscription, now)
        self.drain(now)

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
        self.drain(now)

    def supersede(self, subscription: Subscription) -> None:
        """Give an unanswered NOTIFY up: the phone has sent a SUBSCRIBE since, and is owed a newer one at once.

        It may have moved meanwhile, so that the old NOTIFY can never be answered (RFC 6665 §4.2.1.2).
        """
        if subscription.in_flight is not None:
            self._layer.drop_client(subscription.in_flight)
            self._pacing.free_slot(subscription.in_flight)
            subscription.in_flight = None

    def consider(self, subscription: Subscription, now: float) -> None:
        """The one decision for every NOTIFY: is this subscriber owed one, and may it go now?"""
        if subscription.in_flight is not None:
            return  # RFC 3261 allows more; one at a time keeps them in order, and the newest state wins
        if subscription.owed:
            self._emit(subscription, self._state(subscription), now)  # at once, even if it is queued as well
        elif subscription.queued:
            return
        elif subscription.state is SubscriptionState.ACTIVE and now >= subscription.retry_at:
            if not subscription.has(self._state(subscription)):
                subscription.queued = True
                self._pacing.append(subscription)

    def _state(self, subscription: Subscription) -> EventState | None:
        return self._package.state(subscription.resource, subscription.accept)

    def drain(self, now: float) -> None:
        """Send what the pace allows; what was queued is looked at again, for it may have changed back."""
        while (subscription := self._pacing.pop(now)) is not None:
            subscription.queued = False
            if subscription.in_flight is not None or subscription.state is SubscriptionState.TERMINATED:
                continue
            state = self._state(subscription)
            if subscription.has(state) and not subscription.owed:
                continue
            if state is None and self._settings.end_removed:
                self.terminate(subscription, "noresource")
            self._pacing.take_slot(self._emit(subscription, state, now))

    def _emit(self, subscription: Subscription, state: EventState | None, now: float) -> str:
        """Put the next NOTIFY into the batch; its branch. What the phone has is unknown from here until it answers."""
        subscription.owed = False
        subscription.dialog.local_cseq += 1
        branch = "z9hG4bK" + self._new_token()
        flow = notify_flow(subscription)
        data = build_notify(subscription, state, branch, flow, now=now)
        if len(data) > MAX_DATAGRAM and not flow.reliable and state is not None:
            # It cannot leave as one datagram: say what changed, not the document (the operator sees the reason).
            state = EventState(state.etag, NO_CONTENT, 0, state.event_parameters, "too large for UDP")
            data = build_notify(subscription, state, branch, flow, now=now)
        if not subscription.has(state):
            subscription.acknowledged_etag = None
        subscription.in_flight = branch
        if not subscription.stored:
            self._fetches += 1
            self._per_source[subscription.source] += 1
        withheld = state.withheld if state is not None else None
        self.batch.items.append(NotifyItem(branch, data, flow, subscription, etag_of(state), withheld))
        self.save(subscription)
        return branch

    def receive_response(self, response: Response, now: float) -> None:
        """A response from the wire; one that answers no NOTIFY of ours is dropped."""
        transaction = self._layer.receive_response(response)
        if transaction is not None:
            wanted = _SECONDS.match(response.headers.get("retry-after") or "")
            retry_after = min(int(wanted[0]), MAX_RETRY_AFTER) if wanted else 0
            self._answered(transaction.owner, response.status, retry_after, now - transaction.started, now)
            self.drain(now)

    def _answered(self, item: NotifyItem, status: int, retry_after: int, seconds: float, now: float) -> None:
        """The end of a NOTIFY transaction (RFC 6665 §4.2.2)."""
        subscription = item.subscription
        self._pacing.free_slot(item.branch)
        if subscription.in_flight != item.branch:
            return
        subscription.in_flight = None
        self._release_fetch(subscription)
        self._events.append(NotifyAnswered(subscription.id, subscription.resource, status, item.etag, seconds))
        if subscription.state is SubscriptionState.TERMINATED:
            if subscription.owed and status not in ENDING_ANSWERS:
                self._emit(subscription, self._state(subscription), now)  # the terminating one had to wait for this one
            return
        if 200 <= status < 300:
            subscription.acknowledged_etag = item.etag
            subscription.failures = 0
            subscription.delivery = "faulted" if item.withheld else "acknowledged"
            subscription.delivered_at = now
        elif status in ENDING_ANSWERS:
            # §4.2.2: and no NOTIFY about it. The phone is gone, or knows nothing of this dialog.
            self.terminate(subscription, f"NOTIFY answered {status}" if status != TIMED_OUT else "NOTIFY unanswered")
            return
        else:
            self._failed(subscription, status, retry_after, now)
        self.save(subscription)
        self.consider(subscription, now)

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
        self.arm(subscription, subscription.retry_at)

    def transport_failed(self, data: bytes, flow: Flow, *, now: float) -> None:
        """`data` could not be sent (RFC 3261 §18.4). A failed response is the peer's to ask for again."""
        if not data.startswith(b"NOTIFY "):
            return
        start = data.find(b";branch=") + len(b";branch=")
        transaction = self._layer.drop_client(data[start : data.find(b";", start)].decode("ascii", "replace"))
        if transaction is not None:
            self._answered(transaction.owner, TRANSPORT_FAILED, 0, now - transaction.started, now)
            self.drain(now)

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
                subscription.delivery = "notified"  # now, for it has not left before
                limit = None if subscription.stored else FETCH_TRANSMISSIONS
                self._layer.send_request(item.branch, item.data, item.flow, item, now=now, limit=limit)

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
                elif item.before is not None:
                    self._undo(subscription, item.before)
                    batch.deletes.discard(subscription.id)
            elif subscription.in_flight == item.branch:
                subscription.in_flight = None
                self._release_fetch(subscription)
                batch.retry.append(subscription)
                self._pacing.free_slot(item.branch)
                subscription.owed = subscription.state is SubscriptionState.TERMINATED
                subscription.retry_at = now + self._settings.store_retry
        batch.items.clear()
        heapq.heappush(self._heap, (now + self._settings.store_retry, next(self._number), batch))

    def _release_fetch(self, subscription: Subscription) -> None:
        if not subscription.stored:
            self._fetches -= 1
            self._uncount(subscription.source)

    def _uncount(self, source: str) -> None:
        self._per_source[source] -= 1
        if self._per_source[source] <= 0:
            del self._per_source[source]

    def _undo(self, subscription: Subscription, before: StoredSubscription) -> None:
        """Take back what a refused refresh or unsubscription changed; its CSeq stays used."""
        old = Subscription.from_stored(before)
        subscription.dialog.remote_target, subscription.flow = old.dialog.remote_target, old.flow
        subscription.accept, subscription.expires_at = old.accept, old.expires_at
        if subscription.state is SubscriptionState.TERMINATED:
            subscription.state, subscription.final_reason = SubscriptionState.ACTIVE, None
            self.keep(subscription)
        subscription.owed = False
        subscription.alarm_at = float("inf")
        self.arm(subscription, subscription.expires_at)

    def _again(self, batch: Batch, now: float) -> None:
        for id_ in batch.deletes:
            self.batch.delete(id_)
        for row in batch.rows:
            subscription = self._subscriptions.get(row.id)
            if subscription is not None:
                self.save(subscription)
        for subscription in batch.retry:
            self.consider(subscription, now)

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
        self.drain(now)

    def _alarm(self, subscription: Subscription, now: float) -> None:
        subscription.alarm_at = float("inf")
        if subscription.expires_at <= now:
            self.terminate(subscription, "timeout")  # RFC 6665 §4.2.1.4
            subscription.owed = True
        else:
            later = subscription.retry_at if subscription.retry_at > now else subscription.expires_at
            self.arm(subscription, min(later, subscription.expires_at))
        self.consider(subscription, now)

    def arm(self, subscription: Subscription, at: float) -> None:
        """Look at the subscription at `at`, or before: one entry in the heap is enough, the earliest."""
        if at < subscription.alarm_at:
            subscription.alarm_at = at
            heapq.heappush(self._heap, (at, next(self._number), subscription))

    def save(self, subscription: Subscription) -> None:
        """The subscription changed: its row is to be written."""
        if subscription.stored and subscription.state is SubscriptionState.ACTIVE:
            self.batch.save(subscription)

    def keep(self, subscription: Subscription) -> None:
        """Hold a subscription."""
        self._subscriptions[subscription.id] = subscription
        self._by_resource.setdefault(subscription.resource, {})[subscription.id] = subscription
        self._per_source[subscription.source] += 1

    def terminate(self, subscription: Subscription, reason: str) -> None:
        """End a subscription; whoever wants a terminating NOTIFY sets `owed` or emits it."""
        subscription.state = SubscriptionState.TERMINATED
        subscription.final_reason = reason
        if subscription.stored:
            self._forget(subscription)
            self.batch.delete(subscription.id)
            self._events.append(SubscriptionEnded(subscription.id, subscription.resource, reason))

    def _forget(self, subscription: Subscription) -> None:
        if self._subscriptions.pop(subscription.id, None) is None:
            return
        subscription.state = SubscriptionState.TERMINATED
        same = self._by_resource[subscription.resource]
        same.pop(subscription.id, None)
        if not same:
            del self._by_resource[subscription.resource]
        self._uncount(subscription.source)
