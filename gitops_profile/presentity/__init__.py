"""Who is provisioned, with what: keys, documents, presentity events and the table folded from them (pure)."""

from .document import Presentation, ProfileDocument
from .etag import concealed_tag, entity_tag
from .events import (
    HistoryRewritten,
    PresentityEvent,
    ProblemRecord,
    ProfileAdded,
    ProfileChanged,
    ProfileRemoved,
    RevisionApplied,
    RevisionRejected,
    RevisionStamp,
    RevisionSuperseded,
)
from .events_codec import UnknownEvent, decode_event, encode_event
from .identifier import canonical_device, mac_of
from .key import InvalidKey, ProfileKey, ProfileType, canonical_domain
from .table import PresentityTable, SnapshotUnusable
from .variant import MAX_DEVICE_TEXT, Variant

__all__ = [
    "MAX_DEVICE_TEXT",
    "HistoryRewritten",
    "InvalidKey",
    "Presentation",
    "PresentityEvent",
    "PresentityTable",
    "ProblemRecord",
    "ProfileAdded",
    "ProfileChanged",
    "ProfileDocument",
    "ProfileKey",
    "ProfileRemoved",
    "ProfileType",
    "RevisionApplied",
    "RevisionRejected",
    "RevisionStamp",
    "RevisionSuperseded",
    "SnapshotUnusable",
    "UnknownEvent",
    "Variant",
    "canonical_device",
    "canonical_domain",
    "concealed_tag",
    "decode_event",
    "encode_event",
    "entity_tag",
    "mac_of",
]
