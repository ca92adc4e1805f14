"""Delivery: every subscription, what it was told, what it is owed, and the NOTIFYs on their way (RFC 6665 §4.2.2).

One decision for every NOTIFY (`consider`), one place that sends it (`_emit`), one that hears how it went (`_answered`).
"""

from collections.abc import Callable, Iterable, Sequence

from .access import AccessControl
from .audience import without_pointers
from .batch import NotifyItem
from .changes import Changes
from .due import Due
from .event_package import EventPackage
from .fetches import Fetches
from .flow import Flow
from .held import Held
from .lookups import Lookups
from .outgoing import compose, retry_after_of
from .pacing import Pacing, peer_of
from .retries import Retries
from .routing import Hop, Target, flows_to
from .settings import NotifierSettings
from .subscription import (
    ENDING_ANSWERS,
    NO_DOCUMENT,
    TIMED_OUT,
    TRANSPORT_FAILED,
    Subscription,
    SubscriptionState,
    etag_of,
)
from .subscription_events import NotifyAnswered, SubscriptionEvent
from .syntax import Response
from .target_refresh import refresh_target
from .transaction import ClientTransaction, TransactionLayer

LOOKS_AT_ONCE = 64
"""Subscribers that are looked at in one go for a NOTIFY about a change: some 5 ms."""
NOWHERE: Sequence[Flow] = ()
LOST_TRIES = 4
"""Failed NOTIFYs after which the next one that finds no UDP port open ends the subscription: 2, 4, 8 and 16 s between
them are as long as Timer F would have waited (RFC 6665 §4.2.2: "SHOULD remove"). A phone may just be restarting."""


class Delivery:
    """The notifier's subscriptions and their NOTIFYs."""

    def __init__(
        self,
        package: EventPackage,
        access: AccessControl,
        settings: NotifierSettings,
        new_token: Callable[[], str],
        layer: TransactionLayer,
        happened: list[SubscriptionEvent],
        holds: Callable[[str], bool] = lambda resource: False,
    ) -> None:
        """`holds(resource)`: whether a change of it has to wait; `state_changed` says when that is over."""
        due = self._due = Due(package, access, holds, end_removed=settings.end_removed)
        self.state, self.may_have = due.state, due.may_have
        self._access = access
        self._settings = settings
        self._new_token = new_token
        self._layer = layer
        self._events = happened
        held = self.held = Held(settings, happened)
        self.admission, self.registry, self.arm = held.admission, held.registry, held.arm
        self.save, self.terminate = held.save, held.terminate
        self._save_delivery = held.save_delivery
        self.fetches = Fetches(held.admission)
        self.lookups = Lookups()
        self._pacing = Pacing(settings.notify_rate, settings.notify_in_flight)
        self._retries = Retries(self.arm, settings.max_retry)
        self._changes = Changes(due, held.registry, self._retries, self._pacing)

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is wanted next."""
        times = [self._layer.next_deadline(), self.held.alarms.next_deadline(), self._pacing.next_deadline()]
        if self._changes or self._pacing.is_ready:
            return 0.0  # at once, after what else the loop has to do
        known = [time for time in times if time is not None]
        return min(known) if known else None

    def state_changed(self, resources: Iterable[str], *, now: float) -> None:
        """The event state of these resources may be another one: tell those who do not have it (invariant I3).

        A few milliseconds of it at once, so that a change of everything does not hold up the loop (invariant I8).
        """
        self._changes.add(resources)
        self.drain(now)

    def supersede(self, subscription: Subscription) -> str | None:
        """Give an unanswered NOTIFY up: the phone has sent a SUBSCRIBE since, and is owed a newer one at once.

        It may have moved meanwhile, so that the old NOTIFY can never be answered (RFC 6665 §4.2.1.2). Returns the etag
        of what may still reach the phone, or None.
        """
        if subscription.in_flight is None:
            return None
        transaction = self._layer.drop_client(subscription.in_flight)
        peer = peer_of(transaction.destination) if transaction is not None else None
        self._pacing.free_slot(subscription.in_flight, peer)
        subscription.in_flight = None
        return transaction.owner.etag if transaction is not None else None

    def consider(self, subscription: Subscription, now: float, *, beside_reply: bool = False) -> None:
        """The one decision for every NOTIFY: is this subscriber owed one, and may it go now?

        Before the 2xx of a new subscription is durable, only the NOTIFY that is in one batch with it may
        (`beside_reply`): of one that is refused after all no row may be left.
        """
        if subscription.in_flight is not None or (subscription.fresh and not beside_reply):
            # RFC 3261 allows more; one at a time keeps them in order, and the newest state wins.
            subscription.looks_again = True  # with its answer, or when it is durable
            return
        if subscription.owed:
            self._emit(subscription, now)  # at once, even if it is queued as well
        elif subscription.queued:
            return
        elif subscription.state is SubscriptionState.ACTIVE and now >= subscription.retry_at:
            state = self.state(subscription)
            if self._due.lacks(subscription, state) or self._due.ends(subscription, state):
                self._changes.queue(subscription)

    def drain(self, now: float) -> None:
        """Send what the pace allows; what was queued is looked at again, for it may have changed back.

        Only some of it at once: then `next_deadline` is `now`.
        """
        if self._changes:
            self._changes.queue_some(now)
        looked_at = 0
        while looked_at < LOOKS_AT_ONCE and (subscription := self._pacing.pop(now)) is not None:
            looked_at += 1
            subscription.queued = False
            item = self._emit(subscription, now) if self._is_to_be_told(subscription, now) else None
            if item is not None:
                self._pacing.take_slot(item.branch, peer_of(item.flow))
            if item is None or item.flow is not subscription.flow:
                self._pacing.passed(subscription)

    def _is_to_be_told(self, subscription: Subscription, now: float) -> bool:
        """Whether one that was queued is owed a NOTIFY now that its turn has come."""
        if subscription.in_flight is not None or subscription.fresh:
            return False  # its answer looks again, or its becoming durable
        if subscription.owed:
            return True
        if subscription.state is SubscriptionState.TERMINATED:
            return False
        state = self.state(subscription)
        if self._due.ends(subscription, state):
            self.terminate(subscription, "noresource")
            subscription.owed = True
            return True
        return self._due.lacks(subscription, state) and not self._retries.waits(subscription, now)

    def end_all(self, reason: str, subscriptions: Iterable[Subscription], *, now: float) -> None:
        """End subscriptions with a NOTIFY that says why, at the pace of changes (RFC 6665 §4.1.3, §4.4.2)."""
        for subscription in list(subscriptions):
            self.end(subscription, reason)
        self.drain(now)

    def end(self, subscription: Subscription, reason: str) -> None:
        """The same with one, whose NOTIFY goes with the next `drain`."""
        self.terminate(subscription, reason)
        subscription.owed = True
        if subscription.in_flight is None:
            self._changes.queue(subscription)

    @property
    def is_quiet(self) -> bool:
        """Whether no NOTIFY waits or is unanswered."""
        return self.held.batch.empty and not self._changes and not len(self._pacing) and not self._layer.unanswered

    # -- one NOTIFY ------------------------------------------------------------------------------------------------

    def _emit(
        self, subscription: Subscription, now: float, credentials: tuple[str, str] | None = None
    ) -> NotifyItem | None:
        """Put the next NOTIFY into the batch; None when it has to wait for a look-up or cannot go."""
        flow, others = subscription.flow, NOWHERE
        if not subscription.goes_back:
            flows = flows_to(subscription, lambda hop: self.lookups.find(hop, now))
            if flows is None:
                self.lookups.wait(subscription)
                return None
            if not flows:
                self._has_no_way(subscription, now)
                return None
            flow, others = flows[0], flows[1:]
        subscription.owed = False
        subscription.dialog.local_cseq += 1
        return self._attempt(subscription, flow, others, now, credentials)

    def _has_no_way(self, subscription: Subscription, now: float) -> None:
        """A NOTIFY can go nowhere."""
        subscription.owed = False
        self._events.append(NotifyAnswered(subscription.id, subscription.resource, TRANSPORT_FAILED, "", 0.0))
        if subscription.state is SubscriptionState.ACTIVE:
            self._retries.failed(subscription, etag_of(self.state(subscription)), 0, now, is_gone=False)
            self._save_delivery(subscription)
        self.fetches.over(subscription)

    def _attempt(
        self,
        subscription: Subscription,
        flow: Flow,
        others: Sequence[Flow],
        now: float,
        credentials: tuple[str, str] | None = None,
    ) -> NotifyItem:
        """Send the NOTIFY of the present CSeq on `flow`; `others` are for when that fails.

        What the phone has is unknown from here until it answers.
        """
        branch = "z9hG4bK" + self._new_token()
        subscription.looks_again = False
        state = self.state(subscription)
        item = compose(
            subscription, state, flow, others, branch, self._settings, self.lookups, now=now, credentials=credentials
        )
        if not subscription.has_etag(item.etag):
            subscription.acknowledged_etag = None
        subscription.tells(item.etag, now)
        subscription.in_flight = branch
        self.held.batch.items.append(item)
        self._save_delivery(subscription)
        return item

    # -- how it went -----------------------------------------------------------------------------------------------

    def receive_response(self, response: Response, now: float) -> bool:
        """A response from the wire; whether it was the final one to a NOTIFY of a subscription."""
        transaction = self._layer.receive_response(response)
        if transaction is None:
            return False
        item: NotifyItem = transaction.owner
        subscription = item.subscription
        if response.status in (401, 407) and item.credentials is None and subscription.in_flight == item.branch:
            target, _ = subscription.dialog.request_target()
            credentials = self._access.answer(response, subscription.identity, target)
            if credentials is not None:
                self._pacing.heard(peer_of(item.flow), now, late=transaction.sent > 1)
                self.release(item)
                subscription.owed = True  # should it have to wait for a look-up
                self._emit(subscription, now, credentials)  # RFC 3261 §22.2: a new CSeq, the same dialog
                return True
        if 200 <= response.status < 300 and subscription.in_flight == item.branch:
            if refresh_target(subscription, response.headers, is_trusted=self._access.trusts(subscription.flow)):
                self.save(subscription)
        self._heard(transaction, response.status, retry_after_of(response), now)
        return True

    def receive_ok(self, branch: str, sent_by: str, contact: str | None, now: float) -> bool:
        """The same for the plain 200 (`read_plain_answer`), unless its phone says that it is somewhere else now."""
        transaction = self._layer.find_client(branch, sent_by)
        if transaction is None:
            return False
        if contact is not None and contact != transaction.owner.subscription.dialog.remote_target:
            return False
        self._layer.drop_client(branch)
        self._heard(transaction, 200, 0, now)
        return True

    def _heard(self, transaction: ClientTransaction, status: int, retry_after: int, now: float) -> None:
        """A final response came."""
        item: NotifyItem = transaction.owner
        self._pacing.heard(peer_of(item.flow), now, late=transaction.sent > 1)
        self._answered(item, status, retry_after, now - transaction.started, now)
        self.drain(now)

    def release(self, item: NotifyItem) -> None:
        """The NOTIFY is on its way no more."""
        self._pacing.free_slot(item.branch, peer_of(item.flow))
        item.subscription.in_flight = None

    def _answered(
        self, item: NotifyItem, status: int, retry_after: int, seconds: float, now: float, *, is_lost: bool = False,
        again: bool = False,
    ) -> None:  # fmt: skip
        """The end of a NOTIFY transaction (RFC 6665 §4.2.2); `is_lost`: its transport failed, but may work `again`, or
        nobody answered."""
        subscription = item.subscription
        if subscription.in_flight != item.branch:
            self._pacing.free_slot(item.branch, peer_of(item.flow))
            return
        if item.fails_over(status, is_lost=is_lost):
            # RFC 3263 §4.3: the next address, in a new transaction of the same CSeq.
            if item.flow.transport == "tcp":
                self.lookups.does_not_listen(item.flow.remote, now)
            self._pacing.free_slot(item.branch, peer_of(item.flow))
            subscription.owed = False  # what it is owed meanwhile goes with it
            self._attempt(subscription, item.others[0], item.others[1:], now, item.credentials)
            return
        self.release(item)
        self._events.append(NotifyAnswered(subscription.id, subscription.resource, status, item.etag, seconds))
        subscription.proven = subscription.proven or 200 <= status < 300
        if subscription.state is SubscriptionState.TERMINATED:
            if subscription.owed and status not in ENDING_ANSWERS:
                self._emit(subscription, now)  # the terminating one had to wait for this one
            elif not subscription.stored and status in ENDING_ANSWERS:
                self._forget_request(subscription)
            self.fetches.over(subscription)
            return
        if 200 <= status < 300:
            is_news = self._taken(item, now - seconds, now)
            if not (subscription.looks_again or subscription.owed):  # two of three looks at a document are spared
                if is_news:  # else a refresh would be written twice: 10 of 90 µs, of both processes
                    self._save_delivery(subscription)
                return
        elif status in ENDING_ANSWERS:
            # §4.2.2: and no NOTIFY about it. The phone is gone, or knows nothing of this dialog.
            self.terminate(subscription, f"NOTIFY answered {status}" if status != TIMED_OUT else "NOTIFY unanswered")
            self._forget_request(subscription)
            return
        elif is_lost and not item.flow.reliable and subscription.failures >= LOST_TRIES:
            self.terminate(subscription, "NOTIFY undeliverable")
            return
        else:
            if retry_after:
                self._retries.asked(subscription, item.flow, status, now, retry_after)
            elif status == 415 and item.is_pointer:
                subscription.audience = without_pointers(subscription.audience)  # until it says again what it takes
                self.save(subscription)
            is_gone = is_lost and not again and subscription.flow.reliable
            self._retries.failed(subscription, item.etag, retry_after, now, is_gone=is_gone)
        self._save_delivery(subscription)
        self.consider(subscription, now)

    def _taken(self, item: NotifyItem, sent_at: float, now: float) -> bool:
        """A phone has taken a NOTIFY; whether that is news of it."""
        subscription = item.subscription
        is_news = item.withheld is not None or not subscription.knows(item.etag)
        if subscription.suppress != "*" or item.etag == NO_DOCUMENT:  # else it may have any version, or none
            subscription.acknowledged_etag = item.etag
        subscription.failures = 0
        self._retries.taken(subscription, item.flow, sent_at)
        subscription.delivery = "faulted" if item.withheld else "acknowledged"
        subscription.delivered_at = now
        subscription.gets(item.etag, now)
        return is_news

    def _forget_request(self, subscription: Subscription) -> None:
        """Perhaps its 200 was lost: then the phone asks again, and must not hear that 200 of what is over."""
        dialog = subscription.dialog
        self._layer.forget_request(dialog.remote_tag, dialog.call_id, dialog.remote_cseq)

    def transport_failed(self, data: bytes, flow: Flow, *, now: float) -> None:
        """`data` could not be sent (RFC 3261 §18.4). A failed response is the peer's to ask for again.

        Without a connection in `flow` there is no way to the peer. With one, of TCP or TLS, there was, or may be: a
        connection was lost on which it had left (§17.1.4), or there were too many.
        """
        transaction = self._layer.drop_unsent(data)
        if transaction is not None:
            seconds = now - transaction.started
            again = flow.connection != 0 and flow.transport in ("tcp", "tls")
            self._answered(transaction.owner, TRANSPORT_FAILED, 0, seconds, now, is_lost=True, again=again)
            self.drain(now)

    def looked_up(self, hop: Hop, targets: list[Target], *, now: float) -> None:
        """The answer to one of `lookups`: where a name leads, best first; an empty list when nowhere."""
        for subscription in self.lookups.answer(hop, targets, now):
            self.consider(subscription, now)
        self.drain(now)

    def make_room_for_fetch(self, now: float) -> None:
        """At the bound of fetches, give the oldest of those up that nobody answers."""
        branch = self.fetches.one_too_many()
        transaction = self._layer.drop_client(branch) if branch is not None else None
        if transaction is not None:
            self._answered(transaction.owner, TIMED_OUT, 0, now - transaction.started, now)

    def handle_deadline(self, *, now: float) -> None:
        """Do what is due: retransmissions, expiries, later tries."""
        timed_out, repeated = self._layer.handle_deadline(now=now)
        for transaction in repeated:
            self._pacing.is_silent(transaction.branch)
            self.fetches.is_silent(transaction.owner.subscription, transaction.branch)
        for transaction in timed_out:
            self._answered(transaction.owner, TIMED_OUT, 0, now - transaction.started, now, is_lost=True)
        for due in self.held.alarms.due(now):
            if self.registry.find(due.id) is due:
                self._alarm(due, now)
        self.drain(now)

    def _alarm(self, subscription: Subscription, now: float) -> None:
        if subscription.ends_at <= now:
            self.terminate(subscription, "timeout")  # RFC 6665 §4.2.1.4
            subscription.owed = True
        else:
            later = subscription.retry_at if subscription.retry_at > now else subscription.ends_at
            self.arm(subscription, min(later, subscription.ends_at))
        self.consider(subscription, now)
