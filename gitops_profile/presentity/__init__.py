"""Who is provisioned, with what: keys, documents, presentity events and the table folded from them (pure)."""

from .batch import Batch
from .document import Presentation, ProfileDocument
from .etag import concealed_tag, entity_tag
from .events import (
    BATCH_ENDS,
    ApplicationResumed,
    ApplicationSuspended,
    HistoryRewritten,
    PresentityEvent,
    ProblemRecord,
    ProfileAdded,
    ProfileChanged,
    ProfileRemoved,
    RepositoryRulesChanged,
    RevisionApplied,
    RevisionApproved,
    RevisionHeld,
    RevisionRejected,
    RevisionStamp,
    RevisionSuperseded,
)
from .events_codec import UnknownEvent, decode_event, encode_event
from .history import ProfileHistory, Version, difference, request_number
from .identifier import canonical_device, is_device_id, mac_of
from .key import DEFAULT_DEVICE, InvalidKey, ProfileKey, ProfileType, canonical_domain, known_key, parsed_key, text_of
from .notify_policy import NO_POLICY, NotifyPolicy, Window
from .repository_rules import NO_RULES, FileRule, RepositoryRules
from .table import PresentityTable, SnapshotUnusable
from .variant import MAX_DEVICE_TEXT, Variant

__all__ = [
    "BATCH_ENDS",
    "Batch",
    "DEFAULT_DEVICE",
    "MAX_DEVICE_TEXT",
    "NO_POLICY",
    "NO_RULES",
    "ApplicationResumed",
    "ApplicationSuspended",
    "HistoryRewritten",
    "FileRule",
    "InvalidKey",
    "NotifyPolicy",
    "Presentation",
    "PresentityEvent",
    "PresentityTable",
    "ProblemRecord",
    "ProfileAdded",
    "ProfileChanged",
    "ProfileDocument",
    "ProfileHistory",
    "ProfileKey",
    "ProfileRemoved",
    "ProfileType",
    "RepositoryRules",
    "RepositoryRulesChanged",
    "RevisionApplied",
    "RevisionApproved",
    "RevisionHeld",
    "RevisionRejected",
    "RevisionStamp",
    "RevisionSuperseded",
    "SnapshotUnusable",
    "UnknownEvent",
    "Variant",
    "Version",
    "Window",
    "canonical_device",
    "canonical_domain",
    "concealed_tag",
    "decode_event",
    "difference",
    "encode_event",
    "entity_tag",
    "is_device_id",
    "mac_of",
    "known_key",
    "parsed_key",
    "text_of",
    "request_number",
]
