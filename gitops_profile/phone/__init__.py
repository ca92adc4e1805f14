"""A subscriber for people: what `gitops-profile phone` and the demo run (RFC 6665 §4.1)."""

from .client import Phone, open_phone
from .line import SECURE, TRANSPORTS, PhoneError, server_context
from .subscriber import Received, Subscriber, SubscriberSettings

__all__ = [
    "SECURE",
    "TRANSPORTS",
    "Phone",
    "PhoneError",
    "Received",
    "Subscriber",
    "SubscriberSettings",
    "open_phone",
    "server_context",
]
