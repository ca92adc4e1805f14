"""What an accepted load knows."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Protocol

from gitops_profile.presentity import ProfileKey

from .bases import Bases
from .manifest import ReadDefaults, ReadManifest
from .settings import RepositorySettings
from .template import Templates


class FileEntryLike(Protocol):
    """What a file of a tree must tell."""

    @property
    def path(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def blob(self) -> str: ...
    @property
    def size(self) -> int | None: ...


@dataclass(slots=True)
class State:
    """What an accepted load knows; a Load lays its own findings over it."""

    files: MutableMapping[str, FileEntryLike] = field(default_factory=dict)
    manifests: MutableMapping[str, ReadManifest] = field(default_factory=dict)
    defaults: MutableMapping[str, ReadDefaults] = field(default_factory=dict)
    """By folder."""
    bases: Bases = field(default_factory=lambda: Bases({}))
    sources: dict[str, str] = field(default_factory=dict)
    """Templates by name."""
    data: dict[str, bytes] = field(default_factory=dict)
    """Files under files/ by path."""
    settings: RepositorySettings = field(default_factory=RepositorySettings)
    owners: MutableMapping[ProfileKey, str] = field(default_factory=dict)
    """Which document path a key belongs to, as that of its document or as an alias."""
    keys: MutableMapping[str, tuple[ProfileKey, ...]] = field(default_factory=dict)
    """The keys that belong to each document path: that of its document first, then the aliases."""
    templates: Templates = field(default_factory=lambda: Templates({}))
