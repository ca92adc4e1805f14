"""What a subscriber is to have, and whether he lacks it: what decides every NOTIFY about a change (invariant I3)."""

from collections.abc import Callable

from .access import AccessControl
from .event_package import EventPackage, EventState
from .subscription import NO_DOCUMENT, REJECTED, Subscription


class Due:
    """The event state of each subscriber, and who is to be told."""

    def __init__(
        self, package: EventPackage, access: AccessControl, holds: Callable[[str], bool], *, end_removed: bool
    ) -> None:
        """`holds(resource)`: whether a change of it has to wait. `end_removed`: whether a subscription ends with its
        document.
        """
        self._package = package
        self._access = access
        self.holds = holds
        self._end_removed = end_removed

    def may_have(self, subscription: Subscription) -> bool:
        """Whether its subscriber may (still) have it, where he is (RFC 6665 §4.1.3)."""
        access, resource = self._access, subscription.resource
        return access.permits(subscription.identity, resource) and access.serves(
            self._package.domain_of(resource), subscription.flow
        )

    def state(self, subscription: Subscription) -> EventState | None:
        """What the subscriber is to have now: nothing when it may no more (RFC 6080 §9)."""
        if subscription.final_reason == REJECTED:
            return None
        return self._package.state(subscription.resource, subscription.audience)

    def lacks(self, subscription: Subscription, state: EventState | None) -> bool:
        """Whether the phone has not got this state, and may be told now.

        What it was told once is sent again whenever it must; that its document is gone knows no windows any more.
        """
        if subscription.has(state):
            return False
        return state is None or subscription.was_told(state.etag) or not self.holds(subscription.resource)

    def ends(self, subscription: Subscription, state: EventState | None) -> bool:
        """Whether the subscription is to end because its document is gone (RFC 6665 §4.1.3, `noresource`)."""
        return state is None and self._end_removed and subscription.acknowledged_etag != NO_DOCUMENT
