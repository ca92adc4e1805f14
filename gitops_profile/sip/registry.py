"""Every subscription held, by id and by resource."""

from collections.abc import Iterable, Iterator, KeysView

from .admission import Admission
from .earlier import Earlier
from .subscription import Subscription, SubscriptionState


class Registry:
    """The subscriptions of one notifier; `admission` counts them."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._by_id: dict[str, Subscription] = {}
        self._by_resource: dict[str, Subscription | dict[str, Subscription]] = {}
        """Most resources have one phone, whose dictionary would be larger than its dialog."""
        self.earlier: Earlier | None = None

    def __len__(self) -> int:
        return len(self._by_id) + (len(self.earlier) if self.earlier is not None else 0)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._by_id.values())

    def find(self, id_: str) -> Subscription | None:
        """The subscription held under an id."""
        found = self._by_id.get(id_)
        if found is None and self.earlier is not None:
            return self.earlier.find(id_)
        return found

    def to(self, resource: str) -> Iterable[Subscription]:
        """The subscriptions to a resource."""
        found = self._by_resource.get(resource)
        if isinstance(found, Subscription):
            return (found,)
        return found.values() if found is not None else ()

    def count_to(self, resource: str) -> int:
        """How many there are."""
        found = self._by_resource.get(resource, ())
        return 1 if isinstance(found, Subscription) else len(found)

    def resources(self) -> KeysView[str]:
        """Every resource that somebody is subscribed to."""
        return self._by_resource.keys()

    def keep(self, subscription: Subscription) -> None:
        """Hold a subscription."""
        self._by_id[subscription.id] = subscription
        same = self._by_resource.get(subscription.resource)
        if same is None or same is subscription:
            self._by_resource[subscription.resource] = subscription
        elif isinstance(same, Subscription):
            self._by_resource[subscription.resource] = {same.id: same, subscription.id: subscription}
        else:
            same[subscription.id] = subscription
        self._admission.count(subscription.source)

    def forget(self, subscription: Subscription) -> bool:
        """Let go of it; whether it was held. It is over."""
        if self._by_id.pop(subscription.id, None) is None:
            return False
        if self.earlier is not None:
            self.earlier.forget(subscription.id)
        subscription.state = SubscriptionState.TERMINATED
        same = self._by_resource[subscription.resource]
        if isinstance(same, Subscription):
            del self._by_resource[subscription.resource]
        else:
            same.pop(subscription.id, None)
            if not same:
                del self._by_resource[subscription.resource]
        self._admission.uncount(subscription.source)
        return True
