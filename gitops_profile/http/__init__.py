"""Operations over HTTP, and the admin socket that the command line talks to."""

from .admin import AdminError, AdminServer, AdminUnavailable, Handler, call_admin
from .listener import HTTPLimits, HTTPListener
from .operations import OperationsServer

__all__ = [
    "AdminError",
    "AdminServer",
    "AdminUnavailable",
    "HTTPLimits",
    "HTTPListener",
    "Handler",
    "OperationsServer",
    "call_admin",
]
