"""Profile content and operations over HTTP, and the admin socket that the command line talks to."""

from .admin import AdminError, AdminServer, AdminUnavailable, Handler, call_admin
from .content import ContentFetched, ProfileContent
from .content_access import ContentAccess, Guess, Realm
from .content_links import ContentLinks
from .listener import HTTPLimits, HTTPListener
from .operations import OperationsServer
from .revisions import STAGES, RevisionAnswers, read_token
from .revisions_client import ask_revision
from .status_client import ForgeAnswer, ForgeUnreachable, StatusClient
from .webhook import WebhookReceived, WebhookReceiver

__all__ = [
    "STAGES",
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
    "RevisionAnswers",
    "call_admin",
    "read_token",
    "ask_revision",
]
