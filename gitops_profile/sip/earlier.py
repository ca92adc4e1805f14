"""What of an earlier life is still to come, as the notifier sees it; interpreted where the rest is compiled."""

from collections.abc import Sequence
from typing import Protocol

from .stored import StoredSubscription
from .subscription import Subscription


class Backlog(Protocol):
    """The rows of an earlier life, as they were before the first message of this one."""

    def __len__(self) -> int:
        """How many there are, whether they were taken or not."""

    def take(self, most: int) -> Sequence[StoredSubscription]:
        """The next ones; none when all were taken."""

    def find(self, id_: str) -> StoredSubscription | None:
        """The row of a subscription, whether it was taken or not; none, perhaps, of one whose row is gone since."""


class Earlier(Protocol):
    """Subscriptions that are found by their id, and counted, and are in nothing else yet."""

    def __len__(self) -> int:
        """How many there are."""

    def find(self, id_: str) -> Subscription | None:
        """The one with this id, which is held from now on."""

    def forget(self, id_: str) -> None:
        """This one has ended."""
