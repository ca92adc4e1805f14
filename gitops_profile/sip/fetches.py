"""Fetches: subscriptions that are over with their first NOTIFY (RFC 6665 §4.4.3), counted until that is answered."""

from .admission import Admission
from .subscription import Subscription


class Fetches:
    """Those under way. Whatever else is asked about a subscription that is none, nothing happens."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._silent: dict[str, str] = {}
        """Those whose NOTIFY was sent again, and its branch; the oldest first."""

    def begin(self, subscription: Subscription) -> None:
        """One more."""
        subscription.stored = False
        self._admission.count(subscription.source, fetch=True)

    def is_silent(self, subscription: Subscription, branch: str) -> None:
        """Its NOTIFY had to be sent again."""
        if not subscription.stored:
            self._silent[subscription.id] = branch

    def over(self, subscription: Subscription) -> None:
        """Its NOTIFY was answered, or will not be."""
        if not subscription.stored:
            self._silent.pop(subscription.id, None)
            self._admission.uncount(subscription.source, fetch=True)

    def one_too_many(self) -> str | None:
        """At the bound, the branch of the oldest NOTIFY that was sent twice in vain.

        Otherwise 270 SUBSCRIBEs a second from forged addresses, each silent for 7.5 s, would refuse everybody's.
        """
        if not self._admission.has_all_fetches or not self._silent:
            return None
        return self._silent.pop(next(iter(self._silent)))
