"""The notifier's side of one subscription (RFC 6665 §4.2)."""

from enum import Enum, auto

import msgspec

from .audience import Audience, audience_like, shared_agent, shared_text
from .dialog import Dialog
from .event_package import EventState
from .flow import Flow
from .stored import StoredDelivery, StoredSubscription

NO_DOCUMENT = "none"
"""The entity-tag of "there is no document (any more)"."""
REJECTED = "rejected"
"""Why a subscription ends whose subscriber may not have it any more (RFC 6665 §4.1.3)."""
TRANSPORT_FAILED = 503
"""What a failed transport counts as (RFC 3261 §8.1.3.1)."""
TIMED_OUT = 408


def etag_of(state: EventState | None) -> str:
    """The entity-tag of a state; of none, too: that there is no document is something to be told."""
    return state.etag if state is not None else NO_DOCUMENT


class SubscriptionState(Enum):
    """RFC 6665 §4.2.2, figure 2, as far as a notifier that decides at once walks it."""

    ACTIVE = auto()
    TERMINATED = auto()


GRACE = 2.0
"""Seconds after its expiry that a subscription can still be refreshed: the network takes its time, and a 481 costs the
phone a new subscription (protocol.md 5.3)."""

# RFC 6665 §4.2.2: answers to a NOTIFY that end the subscription.
ENDING_ANSWERS = frozenset({404, 405, 410, 416, 430, 480, 481, 482, 483, 484, 485, 489, 501, 604, TIMED_OUT})


NOBODY = Audience()
_stored = tuple.__new__
"""Without the call of its constructor, which has 31 arguments to check: 0.6 µs instead of 1."""


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What of a subscription its last accepted SUBSCRIBE has said."""

    remote_target: str
    flow: Flow
    audience: Audience
    expires_at: float
    suppress: str | None
    follows: bool


class Subscription(msgspec.Struct, eq=False, gc=False):
    """One subscription: its dialog, what it was told last, and what it is still owed.

    A Struct that nothing it holds points back to: a million of them cost the garbage collector nothing.
    """

    dialog: Dialog
    resource: str
    event: str
    """The Event value of every NOTIFY: the package, and `id` when the SUBSCRIBE had one."""
    event_id: str | None
    flow: Flow
    id: str
    """`subscription_id` of its dialog."""
    source: str
    """The address that this subscription counts for, wherever the phone moves later."""
    audience: Audience = NOBODY
    identity: str | None = None
    """`user@domain` as authenticated."""
    follows: bool = False
    """Whether a NOTIFY may go elsewhere than to where the SUBSCRIBE came from (`routing`)."""
    goes_back: bool = False
    """Whether a NOTIFY is known to go back along `flow`, and nowhere else (`routing`)."""
    suppress: str | None = None
    """The Suppress-If-Match in force (RFC 5839 §5.2): an entity-tag or `*`."""
    proven: bool = False
    """Whether it has answered a NOTIFY: somebody who wants them is there (RFC 6665 §6.3)."""
    expires_at: float = 0.0
    user_agent: str | None = None
    alarm_at: float = float("inf")
    """The earliest deadline that the notifier's `Alarms` know."""
    state: SubscriptionState = SubscriptionState.ACTIVE
    final_reason: str | None = None
    """Reason of the terminating NOTIFY, once there is to be one."""
    acknowledged_etag: str | None = None
    """What the phone certainly has; None while another document may have reached it."""
    in_flight: str | None = None
    """Branch of the NOTIFY that is unanswered."""
    owed: bool = False
    """A NOTIFY must go out whatever the etag says: it answers a SUBSCRIBE or ends the subscription."""
    queued: bool = False
    looks_again: bool = False
    """Its document may be another one since the NOTIFY in flight was made, or since it was first held."""
    retry_at: float = 0.0
    failures: int = 0
    fresh: bool = True
    """Not durable yet."""
    from_before: bool = False
    """Whether its newest request was answered in an earlier life of the server: should it be repeated, it can no
    more be told from a new one of the same CSeq."""
    stored: bool = True
    """False for a fetch, which leaves no state."""
    delivery: str = "held"
    delivered_at: float | None = None
    told_etag: str | None = None
    """The version that the three below are of (`StoredSubscription`): each phone counts once for it."""
    told_at: float | None = None
    got_at: float | None = None
    failed_at: float | None = None

    @property
    def ends_at(self) -> float:
        """When it is over unless it is refreshed (RFC 6665 §4.2.1.4)."""
        return self.expires_at + GRACE

    def has(self, state: EventState | None) -> bool:
        """Whether the phone has acknowledged this state: what decides every NOTIFY (invariant I3).

        With `Suppress-If-Match: *` it wants to know of no content at all (RFC 5839 §5.2).
        """
        return self.has_etag(etag_of(state))

    def has_etag(self, etag: str) -> bool:
        """The same, of a state whose `etag_of` is known."""
        return self.acknowledged_etag == etag or self.suppress == "*"

    def was_told(self, etag: str) -> bool:
        """Whether the NOTIFY that left last had this version: to send it again is no change."""
        return self.told_etag == etag and self.told_at is not None

    def is_suppressed(self, state: EventState | None) -> bool:
        """Whether the Suppress-If-Match in force is true for this state (RFC 5839 §5.2)."""
        if self.suppress is None:
            return False
        return state.matches(self.suppress) if state is not None else self.suppress in ("*", NO_DOCUMENT)

    def tells(self, etag: str, now: float) -> None:
        """A NOTIFY with this version is about to leave; sent again, it is the same fact."""
        if self.told_etag != etag:
            self.told_etag, self.told_at, self.got_at, self.failed_at = etag, now, None, None
        elif self.told_at is None:
            self.told_at = now

    def knows(self, etag: str) -> bool:
        """Whether it is no news that the phone acknowledges this version: the row says so, if it is written at all."""
        return (
            self.acknowledged_etag == etag
            and self.told_etag == etag
            and self.got_at is not None
            and self.failed_at is None
            and not self.failures
        )

    def gets(self, etag: str, now: float) -> None:
        """The phone has acknowledged a NOTIFY with this version."""
        self._turns_to(etag)
        self.failed_at = None
        if self.got_at is None:
            self.got_at = now

    def misses(self, etag: str, now: float) -> None:
        """A NOTIFY with this version failed, or could not leave; one that repeats what the phone has does not count."""
        self._turns_to(etag)
        if self.got_at is None:
            self.failed_at = now

    def _turns_to(self, etag: str) -> None:
        if self.told_etag != etag:
            self.told_etag, self.told_at, self.got_at, self.failed_at = etag, None, None, None

    def terms(self) -> Terms:
        """What a refresh may change."""
        return Terms(self.dialog.remote_target, self.flow, self.audience, self.expires_at, self.suppress, self.follows)

    def take_back(self, before: Terms) -> bool:
        """Undo what a refused refresh or unsubscription changed, but for its CSeq; whether it was ended by it."""
        self.dialog.remote_target, self.flow = before.remote_target, before.flow
        self.goes_back = False
        self.audience, self.expires_at = before.audience, before.expires_at
        self.suppress, self.follows = before.suppress, before.follows
        was_ended = self.state is SubscriptionState.TERMINATED
        self.state, self.final_reason = SubscriptionState.ACTIVE, None
        self.owed = False
        self.alarm_at = float("inf")
        return was_ended

    def to_stored(self) -> StoredSubscription:
        """The row that outlives the process."""
        dialog = self.dialog
        audience = self.audience
        values = (  # in the order of its fields
            self.id,
            self.resource,
            dialog.call_id,
            dialog.local_tag,
            dialog.remote_tag,
            dialog.local_uri,
            dialog.remote_uri,
            dialog.local_cseq,
            dialog.remote_cseq,
            dialog.remote_target,
            dialog.route_set,
            dialog.secure,
            self.event,
            audience.accept,
            str(self.flow),
            self.expires_at,
            self.acknowledged_etag,
            self.suppress,
            self._durable_delivery(),
            self.delivered_at,
            self.user_agent,
            audience.vendor,
            audience.model,
            audience.version,
            self.identity,
            audience.schemes,
            self.follows,
            self.told_etag,
            self.told_at,
            self.got_at,
            self.failed_at,
        )
        return _stored(StoredSubscription, values)

    def _durable_delivery(self) -> str:
        """What has the phone already is acknowledged, though it be under way once more: that answer is not written."""
        if self.delivery == "notified" and self.acknowledged_etag is not None and self.knows(self.acknowledged_etag):
            return "acknowledged"
        return self.delivery

    def delivery_stored(self) -> StoredDelivery:
        """What of it a NOTIFY changes."""
        values = (  # in the order of its fields
            self.id,
            self.dialog.local_cseq,
            self.acknowledged_etag,
            self.suppress,
            self._durable_delivery(),
            self.delivered_at,
            self.told_etag,
            self.told_at,
            self.got_at,
            self.failed_at,
        )
        return _stored(StoredDelivery, values)

    @classmethod
    def from_stored(cls, row: StoredSubscription) -> "Subscription":
        """The inverse of `to_stored`; raises ValueError for a row that cannot be one."""
        dialog = Dialog(
            row.call_id, row.local_tag, row.remote_tag, row.local_uri, row.remote_uri, row.local_cseq, row.remote_cseq,
            row.remote_target, tuple(row.route_set), row.secure,
        )  # fmt: skip
        # What many have in common is one object for all of them, as it was in their earlier life (memory: 0.8 kB each).
        event = shared_text(row.event)
        _, _, event_id = event.partition(";id=")
        flow = Flow.parse(row.contact_flow)
        id_ = subscription_id(row.call_id, row.local_tag)
        subscription = Subscription(dialog, row.resource, event, event_id or None, flow, id_, flow.source)
        subscription.identity, subscription.follows, subscription.suppress = row.identity, row.follows, row.suppress
        subscription.audience = audience_like(
            row.accept, row.vendor, row.model, row.version, row.schemes,
            # Behind a proxy nobody remembers how the phone came to it: until its next refresh, unprotected.
            row.identity is not None, subscription.flow.secure and not row.route_set,
        )  # fmt: skip
        subscription.expires_at = row.expires_at
        subscription.acknowledged_etag = row.acknowledged_etag
        subscription.delivery = shared_text(row.delivery)
        subscription.delivered_at = row.delivered_at
        subscription.user_agent = shared_agent(row.user_agent)
        subscription.proven = row.delivered_at is not None
        is_what_it_has = row.told_etag == row.acknowledged_etag
        subscription.told_etag = row.acknowledged_etag if is_what_it_has else row.told_etag
        subscription.told_at = row.told_at
        subscription.got_at, subscription.failed_at = row.got_at, row.failed_at
        subscription.fresh = False
        subscription.from_before = True
        return subscription


def subscription_id(call_id: str, local_tag: str) -> str:
    """The key of a subscription: our tag is unique in itself, Call-ID makes it readable in a trace."""
    return f"{call_id};{local_tag}"
