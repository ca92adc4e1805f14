"""Files → documents (pure): bytes in, profile documents and problems out."""

from .layout import document_path, key_of_path
from .load import LOADER_VERSION, MAX_FILE, Load, Loader, LoadResult, Made, surely_read
from .manifest import manifest_schema
from .masking import SECRET, masked, masked_lines
from .origins import Device, Origin, Provenance, provenance
from .problem import RULES, Problem, UnreadableProfile
from .schema import did_you_mean
from .settings import RepositorySettings
from .staged import files_to_load, owned_elsewhere
from .state import FileEntryLike

__all__ = [
    "RULES",
    "SECRET",
    "Device",
    "masked",
    "masked_lines",
    "LOADER_VERSION",
    "MAX_FILE",
    "FileEntryLike",
    "Load",
    "LoadResult",
    "Loader",
    "Made",
    "Origin",
    "Problem",
    "Provenance",
    "RepositorySettings",
    "UnreadableProfile",
    "did_you_mean",
    "document_path",
    "key_of_path",
    "files_to_load",
    "owned_elsewhere",
    "manifest_schema",
    "provenance",
    "surely_read",
]
