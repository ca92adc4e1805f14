"""A subscriber, and desk phones, for people: what `gitops-profile phone` and the demo run (RFC 6665 §4.1)."""

from .client import Phone, open_phone
from .credentials import Password
from .fetch import Fetched, Pointer, follow
from .files import File, Files
from .handset import Handset, Told
from .hardware import Hardware, Step, new_token, open_socket
from .line import SECURE, TRANSPORTS, PhoneError, server_context
from .makes import MAKES, Asking, Make
from .subscriber import Received, Subscriber, SubscriberSettings

__all__ = [
    "MAKES",
    "SECURE",
    "TRANSPORTS",
    "Asking",
    "Fetched",
    "File",
    "Files",
    "Handset",
    "Hardware",
    "Make",
    "Password",
    "Phone",
    "PhoneError",
    "Pointer",
    "Received",
    "Step",
    "Subscriber",
    "SubscriberSettings",
    "Told",
    "follow",
    "new_token",
    "open_phone",
    "open_socket",
    "server_context",
]
