"""The store as a worker has it: what is to be durable goes to the main process, which has the only database."""

from collections.abc import Callable, Sequence

from gitops_profile.sip import StoredDelivery, StoredSubscription, Subscription

from .channel import Channel
from .rows import key_bytes, pack

Done = Callable[[Exception | None], None]


class NotStored(OSError):
    """The main process could not make it durable; the message is the store's."""


class RemoteStore:
    """See `SubscriptionWriter`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.find: Callable[[str], Subscription | None] = lambda id_: None
        """The subscription with an id, to be set: the main process's mirror has whole rows only."""
        self._number = 0
        self._waiting: dict[int, Done] = {}

    def submit(
        self,
        saves: Sequence[StoredSubscription],
        deletes: Sequence[str],
        done: Done,
        told: Sequence[StoredDelivery] = (),
    ) -> None:
        """Have them written; `done` is called when it is known what became of it, in the order of submission."""
        self._number += 1
        self._waiting[self._number] = done
        rows = [*saves, *(held.to_stored() for row in told if (held := self.find(row.id)) is not None)]
        self._channel.say("batch", self._number, list(map(pack, rows)), list(map(key_bytes, deletes)))

    def settled(self, number: int, trouble: str | None) -> None:
        """What became of one submission."""
        self._waiting.pop(number)(None if trouble is None else NotStored(trouble))
