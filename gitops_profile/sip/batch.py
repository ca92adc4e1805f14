"""What must become durable together, and the messages that wait for it (invariant I6)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from .flow import Flow
from .stored import StoredDelivery, StoredSubscription
from .subscription import Subscription, Terms
from .syntax import Request
from .transaction import ServerTransaction


class ReplyItem(msgspec.Struct, eq=False, gc=False):
    """A 2xx to a SUBSCRIBE."""

    transaction: ServerTransaction
    data: bytes
    request: Request
    flow: Flow
    subscription: Subscription
    before: Terms | None
    """What the subscription was, when it was one: a request that is refused changes nothing (RFC 3261 §8.2)."""


class NotifyItem(msgspec.Struct, eq=False, gc=False):
    """A NOTIFY, and what its acknowledgement will mean."""

    branch: str
    data: bytes
    flow: Flow
    subscription: Subscription
    etag: str
    withheld: str | None
    others: Sequence[Flow]
    """Where to send it if this flow fails (RFC 3263 §4.3)."""
    credentials: tuple[str, str] | None = None
    """The header field that answers a challenge, if it does."""
    is_pointer: bool = False
    """Whether it says where the document is instead of having it: `data` does not stay for as long as its answer."""

    def fails_over(self, status: int, *, is_lost: bool) -> bool:
        """Whether the next flow is to be tried (RFC 3263 §4.3): nobody answered, or a host that is not the next one's.

        A phone that says 503 itself would say it once more.
        """
        elsewhere = status == 503 and bool(self.others) and self.others[0].remote[0] != self.flow.remote[0]
        return bool(self.others) and (is_lost or elsewhere)


@dataclass(slots=True, eq=False)
class Batch:
    """The work of one turn of the loop."""

    items: list[ReplyItem | NotifyItem] = field(default_factory=list)
    rows: list[StoredSubscription] = field(default_factory=list)
    """Filled by `seal`: one row for each subscription, however often it changed."""
    told: list[StoredDelivery] = field(default_factory=list)
    """Likewise: of whom nothing else changed."""
    retry: list[Subscription] = field(default_factory=list)
    """Whose NOTIFY did not leave because the rows could not be stored."""
    deletes: set[str] = field(default_factory=set)
    _changed: dict[str, Subscription] = field(default_factory=dict)
    _told: dict[str, Subscription] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store and nothing to send."""
        return not (self.items or self.deletes or self._changed or self._told)

    def save(self, subscription: Subscription) -> None:
        """The subscription's row is to be written as it is when the batch is sealed."""
        self._changed[subscription.id] = subscription

    def save_delivery(self, subscription: Subscription) -> None:
        """The same for what of it a NOTIFY changes."""
        self._told[subscription.id] = subscription

    def delete(self, id_: str) -> None:
        """The subscription's row is to go."""
        self._changed.pop(id_, None)
        self._told.pop(id_, None)
        self.deletes.add(id_)

    def seal(self) -> None:
        """Make the rows; later changes belong to a later batch."""
        changed = self._changed
        self.rows = [subscription.to_stored() for subscription in changed.values()]
        self.told = [subscription.delivery_stored() for id_, subscription in self._told.items() if id_ not in changed]
        changed.clear()
        self._told.clear()
