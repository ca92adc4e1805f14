"""Operations over HTTP, and the admin socket that the command line talks to."""

from .admin import AdminError, AdminServer, AdminUnavailable, call_admin
from .operations import OperationsServer

__all__ = ["AdminError", "AdminServer", "AdminUnavailable", "OperationsServer", "call_admin"]
