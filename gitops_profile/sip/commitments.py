"""What becomes of a batch: its messages leave when it is durable, and nothing of it counts when it is not (I6)."""

from collections import deque

from .batch import Batch, NotifyItem, ReplyItem
from .delivery import Delivery
from .reply import build_response
from .settings import NotifierSettings
from .subscription import Subscription, SubscriptionState, Terms
from .subscription_events import SubscriptionEvent, SubscriptionStarted
from .transaction import TransactionLayer

UNPROVEN_TRANSMISSIONS = 4
"""Of a NOTIFY over UDP to where nobody has shown yet that he wants it (RFC 6665 §6.3), and of one for a fetch."""

MAX_UNDONE = 10_000
"""Refused subscriptions whose rows are deleted while the store does not work."""


class Commitments:
    """The store's word on the batches of one notifier, and those that it refused until they are tried again."""

    def __init__(
        self,
        delivery: Delivery,
        settings: NotifierSettings,
        layer: TransactionLayer,
        happened: list[SubscriptionEvent],
    ) -> None:
        self._delivery = delivery
        self._settings = settings
        self._layer = layer
        self._events = happened
        self._undone = 0
        """Refused subscriptions whose rows are to be deleted, should there be any, since the store worked last."""
        self._older: dict[str, Terms] = {}
        """What subscriptions were before a refused request that was not the newest: to that the newest goes back."""
        self._refused: deque[tuple[float, Batch]] = deque()
        """When to try again; all wait equally long, so the first is the next."""

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is wanted next."""
        return self._refused[0][0] if self._refused else None

    def handle_deadline(self, *, now: float) -> None:
        """Try again what the store has refused."""
        while self._refused and self._refused[0][0] <= now:
            self._again(self._refused.popleft()[1], now)
            self._delivery.drain(now)

    def committed(self, batch: Batch, *, now: float) -> None:
        """What the batch holds is durable: its messages may leave."""
        self._undone = 0
        for item in batch.items:
            subscription = item.subscription
            if isinstance(item, ReplyItem):
                self._layer.respond(item.transaction, item.data, now=now)
                if self._older:
                    self._older.pop(subscription.id, None)
                if subscription.fresh and subscription.stored:
                    left = int(subscription.expires_at - now)
                    source = item.flow.remote[0]
                    self._events.append(SubscriptionStarted(subscription.id, subscription.resource, source, left))
                if subscription.fresh:
                    subscription.fresh = False
                    if subscription.in_flight is None:
                        self._delivery.consider(subscription, now)
            elif subscription.in_flight == item.branch:
                subscription.delivery = "notified"  # now, for it has not left before
                limit = UNPROVEN_TRANSMISSIONS if self._is_unproven(item) else None
                self._layer.send_request(item.branch, item.data, item.flow, item, now=now, limit=limit)
                if item.flow.reliable:
                    item.data = b""  # the stream has it

    def commit_failed(self, batch: Batch, *, now: float) -> None:
        """Nothing of the batch is durable: nothing of it is acknowledged, and it is tried again (I6)."""
        for item in batch.items:
            subscription = item.subscription
            if isinstance(item, ReplyItem):
                fields = (("Retry-After", "10"),)
                data = build_response(item.request, item.flow, 503, to_tag=subscription.dialog.local_tag, fields=fields)
                self._layer.respond(item.transaction, data, now=now)
                if subscription.fresh:
                    self._refuse(subscription, batch)
                else:
                    self._take_back(item, batch)
            elif subscription.in_flight == item.branch:
                self._delivery.release(item)
                batch.retry.append(subscription)
                subscription.owed = subscription.state is SubscriptionState.TERMINATED
                subscription.retry_at = now + self._settings.store_retry
        batch.items.clear()
        self._refused.append((now + self._settings.store_retry, batch))

    def _refuse(self, subscription: Subscription, batch: Batch) -> None:
        """Its first SUBSCRIBE got an error after all: no subscription, no NOTIFY (RFC 6665 §4.1.2.1), and no row.

        What the store refuses may be there all the same, when it died on the way to say so.
        """
        delivery = self._delivery
        delivery.supersede(subscription)
        delivery.registry.forget(subscription)
        delivery.held.alarms.forget(subscription)
        if subscription.stored and self._undone < MAX_UNDONE:
            self._undone += 1
            batch.deletes.add(subscription.id)
        delivery.fetches.over(subscription)

    def _take_back(self, item: ReplyItem, batch: Batch) -> None:
        """A request that was refused changes nothing (RFC 3261 §8.2), if it still is the last word.

        It is not when a newer request has come since, or when the operator has ended the subscription.
        """
        subscription = item.subscription
        before = self._older.pop(subscription.id, item.before)
        if before is None or subscription.final_reason not in (None, "timeout"):
            return
        if item.request.cseq != subscription.dialog.remote_cseq:
            self._older[subscription.id] = before
            return
        if subscription.take_back(before):
            self._delivery.registry.keep(subscription)
        self._delivery.arm(subscription, subscription.ends_at)
        batch.deletes.discard(subscription.id)
        batch.rows.append(subscription.to_stored())  # its CSeq stays used (RFC 3261 §12.2.2)
        batch.retry.append(subscription)  # a change that waited to be told again waits for nothing now

    def _is_unproven(self, item: NotifyItem) -> bool:
        subscription = item.subscription
        if not subscription.stored:
            return True
        known = subscription.proven or subscription.identity is not None
        return not known and self._delivery.admission.may_be_forged(item.flow)

    def _again(self, batch: Batch, now: float) -> None:
        delivery = self._delivery
        for id_ in batch.deletes:
            delivery.held.batch.delete(id_)
        for id_ in (*(row.id for row in batch.rows), *(row.id for row in batch.told)):
            subscription = delivery.registry.find(id_)
            if subscription is not None:
                delivery.save(subscription)
        for subscription in batch.retry:
            delivery.consider(subscription, now)
