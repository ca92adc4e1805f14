"""SIP sockets (RFC 3261 §18): they move bytes and hold no decision."""

from .address import ListenAddress, ListenError, bind_all
from .endpoint import SIPEndpoint, SubscriptionWriter
from .tcp import StreamLimits

__all__ = ["ListenAddress", "ListenError", "SIPEndpoint", "StreamLimits", "SubscriptionWriter", "bind_all"]
