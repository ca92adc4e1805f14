"""Retransmission, matching, timers: RFC 3261 §17 (pure)."""

from .client_transaction import ClientTransaction
from .key import TransactionKey, server_key
from .layer import TransactionLayer
from .server_transaction import ServerState, ServerTransaction
from .timers import Timers

__all__ = [
    "ClientTransaction",
    "ServerState",
    "ServerTransaction",
    "Timers",
    "TransactionKey",
    "TransactionLayer",
    "server_key",
]
