"""A subscriber for people: what `gitops-profile phone` and the demo run (RFC 6665 §4.1)."""

from .client import Phone, open_phone
from .credentials import Password
from .fetch import Fetched, Pointer, follow
from .line import SECURE, TRANSPORTS, PhoneError, server_context
from .subscriber import Received, Subscriber, SubscriberSettings

__all__ = [
    "SECURE",
    "TRANSPORTS",
    "Fetched",
    "Password",
    "Phone",
    "PhoneError",
    "Pointer",
    "Received",
    "Subscriber",
    "SubscriberSettings",
    "follow",
    "open_phone",
    "server_context",
]
