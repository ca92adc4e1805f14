"""Events kept, in order, for ever. Knows no domain: a record is a stream, a type, a version and a JSON object."""

from .file_log import FileEventLog
from .log import EventLog, LogCorrupt, LogInUse, LogUnavailable, VersionConflict
from .memory_log import MemoryEventLog
from .outside import Extent, LogFollower, load_snapshot, read_log
from .record import EncodedRecord, NewRecord, Record, time_text
from .snapshot import Ahead
from .verification import VerifyReport, verify

__all__ = [
    "Ahead",
    "EncodedRecord",
    "EventLog",
    "Extent",
    "FileEventLog",
    "LogCorrupt",
    "LogFollower",
    "LogInUse",
    "LogUnavailable",
    "MemoryEventLog",
    "NewRecord",
    "Record",
    "VerifyReport",
    "VersionConflict",
    "load_snapshot",
    "read_log",
    "time_text",
    "verify",
]
