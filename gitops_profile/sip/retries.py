"""When a NOTIFY that failed is tried again (RFC 6665 §4.2.2), and who is to be left alone (RFC 3261 §20.33)."""

from collections.abc import Callable

from .flow import Flow
from .pacing import Peer, peer_of
from .subscription import Subscription

MAX_ASKED = 10_000
"""Who asked for a pause and is remembered; of more, the one that asked first is forgotten."""
_NEVER = (float("inf"), 0.0)


class Retries:
    """The next tries of NOTIFYs that failed.

    A Retry-After holds NOTIFYs about changes, too, to one subscription or to everybody behind a peer. A SUBSCRIBE is
    answered all the same, and what was asked for is forgotten with the process.
    """

    def __init__(self, arm: Callable[[Subscription, float], None], longest: float) -> None:
        """`arm(subscription, at)` has it looked at then; `longest` are the seconds at most between two tries."""
        self._arm = arm
        self._longest = longest
        self._asked: dict[str | Peer, tuple[float, float]] = {}
        """When, and until when."""

    def failed(self, subscription: Subscription, etag: str, retry_after: int, now: float, *, is_gone: bool) -> None:
        """Any failure but those that end it leaves the subscription as it is; `etag` is tried again later.

        `is_gone`: so is the connection.
        """
        subscription.delivery = "faulted"
        subscription.misses(etag, now)
        subscription.failures += 1
        if is_gone:
            # The flow is gone (RFC 5626 §4.3): the phone's next SUBSCRIBE, or the next change, is the next try.
            subscription.retry_at = subscription.ends_at
            return
        pause = max(retry_after, min(2 ** min(subscription.failures, 10), self._longest))
        subscription.retry_at = now + pause
        self._arm(subscription, subscription.retry_at)

    def asked(self, subscription: Subscription, flow: Flow, status: int, now: float, seconds: int) -> None:
        """What came by `flow` was answered `status`, with a Retry-After; a 503 is of all behind that (§21.5.4)."""
        if len(self._asked) >= MAX_ASKED:
            del self._asked[next(iter(self._asked))]
        self._asked[peer_of(flow) if status == 503 else subscription.id] = now, now + seconds

    def taken(self, subscription: Subscription, flow: Flow, sent_at: float) -> None:
        """It has taken what was sent by `flow` at `sent_at`: if that is since it asked, its phone is there again."""
        if not self._asked:
            return
        for key in (subscription.id, peer_of(flow)):
            if self._asked.get(key, _NEVER)[0] < sent_at:
                del self._asked[key]

    def waits(self, subscription: Subscription, now: float) -> bool:
        """Whether it is not to be told of a change yet; then it is looked at again when it may be."""
        if not self._asked:
            return False
        latest = 0.0
        for key in (subscription.id, peer_of(subscription.flow)):
            _, until = self._asked.get(key, _NEVER)
            if until > now:
                latest = max(latest, until)
            elif until:
                del self._asked[key]
        if latest:
            subscription.retry_at = latest
            self._arm(subscription, latest)
        return latest > 0
