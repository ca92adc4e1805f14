"""What GitHub, GitLab and Gitea say to us and how they want to be told: signatures, payloads, commit statuses."""

from .commit_status import CommitStatus, Provider, State, StatusRequest, StatusTarget, status_request
from .delivery import MAX_PARSED, Delivery, Kind, concerns, read_delivery
from .location import Location, default_api, locate
from .reply import Delivered, Dropped, Later, Reply, judge
from .secrets import Secrets, read_secrets
from .signature import Refused, SignatureCheck, begin_check

__all__ = [
    "MAX_PARSED",
    "CommitStatus",
    "Delivered",
    "Delivery",
    "Dropped",
    "Kind",
    "Later",
    "Location",
    "Provider",
    "Refused",
    "Reply",
    "Secrets",
    "SignatureCheck",
    "State",
    "StatusRequest",
    "StatusTarget",
    "begin_check",
    "concerns",
    "default_api",
    "judge",
    "locate",
    "read_delivery",
    "read_secrets",
    "status_request",
]
