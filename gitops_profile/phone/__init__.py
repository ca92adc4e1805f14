"""A subscriber for people: what `gitops-profile phone` and the demo run (RFC 6665 §4.1)."""

from .client import Phone, PhoneError, open_phone
from .subscriber import Received, Subscriber, SubscriberSettings

__all__ = ["Phone", "PhoneError", "Received", "Subscriber", "SubscriberSettings", "open_phone"]
