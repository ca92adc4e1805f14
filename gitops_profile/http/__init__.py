"""Profile content and operations over HTTP, and the admin socket that the command line talks to."""

from .admin import AdminError, AdminServer, AdminUnavailable, Handler, call_admin
from .content import ContentFetched, ProfileContent
from .content_access import ContentAccess, Guess, Realm
from .content_links import ContentLinks
from .listener import HTTPLimits, HTTPListener
from .operations import OperationsServer
from .status_client import ForgeAnswer, ForgeUnreachable, StatusClient
from .webhook import WebhookReceived, WebhookReceiver

__all__ = [
    "AdminError",
    "AdminServer",
    "AdminUnavailable",
    "ContentAccess",
    "ContentFetched",
    "ContentLinks",
    "ForgeAnswer",
    "ForgeUnreachable",
    "Guess",
    "HTTPLimits",
    "HTTPListener",
    "Handler",
    "OperationsServer",
    "ProfileContent",
    "Realm",
    "StatusClient",
    "WebhookReceived",
    "WebhookReceiver",
    "call_admin",
]
