"""Files → documents (pure): bytes in, profile documents and problems out."""

from .layout import key_of_path
from .load import LOADER_VERSION, Load, Loader, LoadResult
from .manifest import manifest_schema
from .problem import Problem, UnreadableProfile
from .provenance import Origin, Provenance, provenance
from .settings import RepositorySettings
from .state import FileEntryLike

__all__ = [
    "LOADER_VERSION",
    "FileEntryLike",
    "Load",
    "LoadResult",
    "Loader",
    "Origin",
    "Problem",
    "Provenance",
    "RepositorySettings",
    "UnreadableProfile",
    "key_of_path",
    "manifest_schema",
    "provenance",
]
