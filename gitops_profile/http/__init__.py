"""Profile content and operations over HTTP, and the admin socket that the command line talks to.

A name is looked up when it is asked for: aiohttp, which most of this stands on, takes 0.17 s to import, and a server
without HTTP is ready before that.
"""

from typing import TYPE_CHECKING

from gitops_profile.admin_client import AdminError, AdminUnavailable
from gitops_profile.door import late_names

if TYPE_CHECKING:
    from .admin import AdminServer
    from .admin_socket import AdminSocket
    from .client_address import counted_address
    from .content import ContentFetched, ProfileContent
    from .content_access import ContentAccess, FetchRefused, Guess, Realm
    from .content_links import ContentLinks
    from .device_gate import DeviceGate, Missed
    from .device_passwords import DevicePasswords
    from .device_proof import Proof, Way, certificate_device
    from .document_links import Capability, DocumentLinks
    from .documents import DOCUMENTS_PATH, DeviceDocuments
    from .handler import Handler
    from .listener import Below, HTTPLimits, HTTPListener
    from .misses import MissBudget
    from .operations import OperationsServer
    from .places import CONNECTIONS
    from .revisions import STAGES, RevisionAnswers, read_token
    from .revisions_client import ask_revision
    from .status_client import ForgeAnswer, ForgeUnreachable, StatusClient
    from .uploads import UploadLimits, UploadMode, Uploads
    from .webhook import WebhookReceived, WebhookReceiver
else:
    __getattr__ = late_names(
        __name__,
        {
            "AdminServer": "admin",
            "AdminSocket": "admin_socket",
            "Below": "listener",
            "CONNECTIONS": "places",
            "Capability": "document_links",
            "ContentAccess": "content_access",
            "ContentFetched": "content",
            "ContentLinks": "content_links",
            "DOCUMENTS_PATH": "documents",
            "DeviceDocuments": "documents",
            "DeviceGate": "device_gate",
            "DevicePasswords": "device_passwords",
            "DocumentLinks": "document_links",
            "FetchRefused": "content_access",
            "ForgeAnswer": "status_client",
            "ForgeUnreachable": "status_client",
            "Guess": "content_access",
            "HTTPLimits": "listener",
            "HTTPListener": "listener",
            "Handler": "handler",
            "MissBudget": "misses",
            "Missed": "device_gate",
            "OperationsServer": "operations",
            "ProfileContent": "content",
            "Proof": "device_proof",
            "Realm": "content_access",
            "RevisionAnswers": "revisions",
            "STAGES": "revisions",
            "StatusClient": "status_client",
            "UploadLimits": "uploads",
            "UploadMode": "uploads",
            "Uploads": "uploads",
            "Way": "device_proof",
            "WebhookReceived": "webhook",
            "WebhookReceiver": "webhook",
            "ask_revision": "revisions_client",
            "certificate_device": "device_proof",
            "counted_address": "client_address",
            "read_token": "revisions",
        },
    )

__all__ = [
    "CONNECTIONS",
    "DOCUMENTS_PATH",
    "STAGES",
    "AdminError",
    "AdminServer",
    "AdminSocket",
    "AdminUnavailable",
    "Below",
    "Capability",
    "ContentAccess",
    "ContentFetched",
    "ContentLinks",
    "DeviceDocuments",
    "DeviceGate",
    "DevicePasswords",
    "DocumentLinks",
    "FetchRefused",
    "ForgeAnswer",
    "ForgeUnreachable",
    "Guess",
    "HTTPLimits",
    "HTTPListener",
    "Handler",
    "MissBudget",
    "Missed",
    "OperationsServer",
    "ProfileContent",
    "Proof",
    "Realm",
    "StatusClient",
    "UploadLimits",
    "UploadMode",
    "Uploads",
    "Way",
    "WebhookReceived",
    "WebhookReceiver",
    "RevisionAnswers",
    "certificate_device",
    "counted_address",
    "read_token",
    "ask_revision",
]
