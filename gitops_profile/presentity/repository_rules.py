"""What a profile repository says that is about no profile in particular, and that the server acts on."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FileRule:
    """A file name that phones ask for, with places such as {mac} in it, and the device profiles it stands for."""

    name: str
    profiles: tuple[str, ...]
    """To look for in this order."""


@dataclass(frozen=True, slots=True)
class RepositoryRules:
    """`files` and `decoys` of profiles.yaml."""

    files: tuple[FileRule, ...] = ()
    decoys: tuple[str, ...] = ()
    """MACs that no phone has: whoever asks for one is looking for somebody else's document. Sorted."""

    def as_row(self) -> tuple[Any, ...]:
        """Its fields as plain data."""
        return [(rule.name, list(rule.profiles)) for rule in self.files], list(self.decoys)

    @classmethod
    def from_row(cls, row: Any) -> "RepositoryRules":
        """The inverse of `as_row`."""
        files, decoys = row
        return cls(tuple(FileRule(name, tuple(profiles)) for name, profiles in files), tuple(decoys))


NO_RULES = RepositoryRules()
