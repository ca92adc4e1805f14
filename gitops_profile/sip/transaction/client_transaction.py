"""Client transactions: our NOTIFY (RFC 3261 §17.1.2)."""

from typing import Any

from ..flow import Flow


class ClientTransaction:
    """One request on its way, until a final response or Timer F."""

    __slots__ = ("branch", "data", "destination", "interval", "limit", "owner", "sent", "started")

    def __init__(
        self,
        branch: str,
        data: bytes,
        destination: Flow,
        owner: Any,
        started: float,
        interval: float,
        limit: int | None = None,
    ) -> None:
        self.branch = branch
        self.data = data
        self.destination = destination
        self.owner = owner
        self.started = started
        self.interval = interval
        """Seconds until the next retransmission: T1, doubling up to T2 (Timer E)."""
        self.limit = limit
        """Transmissions after which it is given up; None: Timer F alone decides."""
        self.sent = 1
        """Transmissions so far."""
