"""SIP plug and play: a multicast SUBSCRIBE at boot, a 200, one NOTIFY with a URL (phones.md 2), without I/O (pure)."""

from .request import PnPRequest, read_request
from .responder import Offer, PnPAnswered, PnPAsked, PnPEvent, PnPLimits, PnPRefused, PnPResponder

__all__ = [
    "Offer",
    "PnPAnswered",
    "PnPAsked",
    "PnPEvent",
    "PnPLimits",
    "PnPRefused",
    "PnPRequest",
    "PnPResponder",
    "read_request",
]
