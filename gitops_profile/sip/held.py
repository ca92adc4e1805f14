"""The subscriptions that are held, when each is to be looked at, and what of them is to be written."""

from .admission import Admission
from .alarms import Alarms
from .batch import Batch
from .registry import Registry
from .settings import NotifierSettings
from .subscription import Subscription, SubscriptionState
from .subscription_events import SubscriptionEnded, SubscriptionEvent


class Held:
    """Every subscription of one notifier, and the batch of the present turn."""

    def __init__(self, settings: NotifierSettings, happened: list[SubscriptionEvent]) -> None:
        self._happened = happened
        self.batch = Batch()
        self.admission = Admission(settings)
        self.registry = Registry(self.admission)
        self.alarms = Alarms()
        self.arm = self.alarms.arm

    def take_batch(self) -> Batch | None:
        """What must be durable before its messages may leave (invariant I6), or None."""
        if self.batch.empty:
            return None
        batch, self.batch = self.batch, Batch()
        batch.seal()
        return batch

    def save(self, subscription: Subscription) -> None:
        """The subscription changed: its row is to be written."""
        if subscription.stored and subscription.state is SubscriptionState.ACTIVE:
            self.batch.save(subscription)

    def save_delivery(self, subscription: Subscription) -> None:
        """The same for what of it a NOTIFY changes."""
        if subscription.stored and subscription.state is SubscriptionState.ACTIVE:
            self.batch.save_delivery(subscription)

    def terminate(self, subscription: Subscription, reason: str) -> None:
        """End a subscription; whoever wants a terminating NOTIFY sets `owed` or emits it."""
        subscription.state = SubscriptionState.TERMINATED
        subscription.final_reason = reason
        if subscription.stored:
            self.registry.forget(subscription)
            self.alarms.forget(subscription)
            self.batch.delete(subscription.id)
            self._happened.append(SubscriptionEnded(subscription.id, subscription.resource, reason))
