"""Files → documents (pure): bytes in, profile documents and problems out."""

from .base import FileEntryLike
from .load import LOADER_VERSION, Load, Loader, LoadResult
from .manifest import manifest_schema
from .problem import Problem, UnreadableProfile
from .settings import RepositorySettings

__all__ = [
    "LOADER_VERSION",
    "FileEntryLike",
    "Load",
    "LoadResult",
    "Loader",
    "Problem",
    "RepositorySettings",
    "UnreadableProfile",
    "manifest_schema",
]
