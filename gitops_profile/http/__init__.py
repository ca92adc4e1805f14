"""Profile content and operations over HTTP, and the admin socket that the command line talks to."""

from gitops_profile.admin_client import AdminError, AdminUnavailable

from .admin import AdminServer, Handler
from .client_address import counted_address
from .content import ContentFetched, ProfileContent
from .content_access import ContentAccess, FetchRefused, Guess, Realm
from .content_links import ContentLinks
from .device_gate import DeviceGate, Missed
from .device_passwords import DevicePasswords
from .device_proof import Proof, Way, certificate_device
from .document_links import Capability, DocumentLinks
from .documents import DOCUMENTS_PATH, DeviceDocuments
from .listener import HTTPLimits, HTTPListener
from .misses import MissBudget
from .operations import OperationsServer
from .revisions import STAGES, RevisionAnswers, read_token
from .revisions_client import ask_revision
from .status_client import ForgeAnswer, ForgeUnreachable, StatusClient
from .uploads import UploadLimits, UploadMode, Uploads
from .webhook import WebhookReceived, WebhookReceiver

__all__ = [
    "DOCUMENTS_PATH",
    "STAGES",
    "AdminError",
    "AdminServer",
    "AdminUnavailable",
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
