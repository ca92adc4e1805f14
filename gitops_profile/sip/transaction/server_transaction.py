"""Server transactions: their SUBSCRIBE (RFC 3261 §17.2.2), and the INVITE that we refuse (§17.2.1)."""

from enum import Enum, auto

import msgspec

from ..flow import Flow
from ..syntax import Request
from .key import TransactionKey


class ServerState(Enum):
    """Figures 7 and 8 of RFC 3261, as far as a server that never sends a provisional response walks them."""

    TRYING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()


class ServerTransaction(msgspec.Struct, eq=False, gc=False):
    """One request and the one final response that every retransmission of it gets."""

    key: TransactionKey
    merge_key: TransactionKey | None
    destination: Flow
    request: Request | None
    """Kept until it is answered, for the 100 that it gets when that takes long (RFC 4320 §4.1)."""
    state: ServerState = ServerState.TRYING
    response: bytes = b""
    interval: float = 0.0
    """Seconds until the next repetition of a final response to INVITE (Timer G)."""

    @property
    def is_invite(self) -> bool:
        """Whether this is an INVITE transaction, whose final response is repeated until its ACK."""
        return self.key[-1] == "INVITE"
