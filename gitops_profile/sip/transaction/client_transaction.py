"""Client transactions: our NOTIFY (RFC 3261 §17.1.2)."""

from typing import Any

import msgspec

from ..flow import Flow


class ClientTransaction(msgspec.Struct, eq=False, gc=False):
    """One request on its way, until a final response or Timer F."""

    branch: str
    data: bytes
    destination: Flow
    owner: Any
    started: float
    interval: float
    """Seconds until the next retransmission: T1, doubling up to T2 (Timer E)."""
    limit: int | None = None
    """Transmissions after which it is given up; None: Timer F alone decides."""
    sent: int = 1
    """Transmissions so far."""
