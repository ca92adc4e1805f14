"""Files → documents (pure): bytes in, profile documents and problems out.

A name is looked up when it is asked for: the server wants a few small ones, Jinja and ruamel.yaml take 0.08 s.
"""

from typing import TYPE_CHECKING

from gitops_profile.door import late_names

if TYPE_CHECKING:
    from .layout import document_path, key_of_path
    from .load import MAX_FILE, Load, Loader, LoadResult, Made, surely_read
    from .manifest import manifest_schema
    from .masking import SECRET, masked, masked_lines
    from .origins import Device, Origin, Provenance, provenance
    from .problem import RULES, Problem, UnreadableProfile
    from .schema import did_you_mean
    from .settings import RepositorySettings
    from .staged import files_to_load, owned_elsewhere
    from .state import FileEntryLike
    from .version import LOADER_VERSION
else:
    __getattr__ = late_names(
        __name__,
        {
            "Device": "origins",
            "FileEntryLike": "state",
            "LOADER_VERSION": "version",
            "Load": "load",
            "LoadResult": "load",
            "Loader": "load",
            "MAX_FILE": "load",
            "Made": "load",
            "Origin": "origins",
            "Problem": "problem",
            "Provenance": "origins",
            "RULES": "problem",
            "RepositorySettings": "settings",
            "SECRET": "masking",
            "UnreadableProfile": "problem",
            "did_you_mean": "schema",
            "document_path": "layout",
            "files_to_load": "staged",
            "key_of_path": "layout",
            "manifest_schema": "manifest",
            "masked": "masking",
            "masked_lines": "masking",
            "owned_elsewhere": "staged",
            "provenance": "origins",
            "surely_read": "load",
        },
    )

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
