"""SIP sockets (RFC 3261 §18): they move bytes and hold no decision."""

from .address import SECURE, ListenAddress, ListenError, bind_all
from .endpoint import Colleagues, SIPEndpoint, SubscriptionWriter
from .late_resolver import LateResolver, NameResolver, Unresolvable
from .limits import Reason, StreamLimits, TransportRefused, possible_connections
from .multicast import GroupListener, Interface, InterfaceUnusable, find_interface, hear_group
from .tls import CertificateError, Certificates, certificate_names, certifies

__all__ = [
    "SECURE",
    "CertificateError",
    "Certificates",
    "Colleagues",
    "GroupListener",
    "Interface",
    "InterfaceUnusable",
    "LateResolver",
    "ListenAddress",
    "ListenError",
    "NameResolver",
    "Reason",
    "SIPEndpoint",
    "StreamLimits",
    "SubscriptionWriter",
    "TransportRefused",
    "Unresolvable",
    "bind_all",
    "certificate_names",
    "certifies",
    "find_interface",
    "hear_group",
    "possible_connections",
]
