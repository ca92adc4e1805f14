"""profiles.yaml: what holds for the whole profile repository."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gitops_profile.devices import FileRoutes
from gitops_profile.presentity import FileRule, RepositoryRules, mac_of

from .notify import FolderNotify
from .problem import Problem
from .schema import validate
from .yaml_data import read_yaml

MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+( *; *[\w-]+=[!-:<-~]+)*", re.ASCII)
_PERCENTAGE = re.compile(r"(100|\d{1,2}(\.\d{1,3})?)%", re.ASCII)

CONTENT_TYPES = {
    ".xml": "text/xml",
    ".cfg": "text/plain",
    ".conf": "text/plain",
    ".txt": "text/plain",
    ".json": "application/json",
    ".url": "application/url",
    ".html": "text/html",
    ".htm": "text/html",
    ".ini": "text/plain",
}
OTHER = "application/octet-stream"
MAX_RULES = 1000
"""File names, and as many decoys."""


class PublicCredential(BaseModel):
    """Something that looks like a credential and may be read by everybody; `*`, `?` and `[…]` as in a shell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = "*"
    """The file, such as `device/example.com/lobby/*`."""
    key: str = "*"
    """The name as the warning says it, such as `values.*.pin`."""


class FileName(BaseModel):
    """A file name that phones ask for; `{mac}`, `{model}`, `{n}` and `{word}` stand for what is different each time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Such as `handset-{mac}.ini`."""
    profile: str | tuple[str, ...]
    """The device profile it stands for, such as `{mac}`, or several to look for in this order."""

    @property
    def rule(self) -> FileRule:
        """The same for the server."""
        return FileRule(self.name, (self.profile,) if isinstance(self.profile, str) else self.profile)


class RepositorySettings(BaseModel):
    """All keys are optional."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    content_types: dict[str, str] = Field(default_factory=dict)
    """Content type of a plain document by its extension, such as `.xml: application/xml`."""
    public_credentials: tuple[PublicCredential, ...] = ()
    """What `check` does not warn of."""
    notify: FolderNotify | None = None
    """How phones are told of changes, wherever no folder says otherwise."""
    files: tuple[FileName, ...] = Field(default=(), max_length=MAX_RULES)
    """File names beside those that are known of all vendors; the first that fits counts."""
    decoys: tuple[str, ...] = Field(default=(), max_length=MAX_RULES)
    """MACs that no phone has: whoever asks for the document of one raises an alarm and is shut out."""
    max_removals: int | str | None = None
    """How many profiles one revision may remove: a number, or a percentage such as "20%"."""

    @field_validator("content_types")
    @classmethod
    def _media_types(cls, types: dict[str, str]) -> dict[str, str]:
        for extension, media_type in types.items():
            if not extension.startswith(".") or not MEDIA_TYPE.fullmatch(media_type):
                raise ValueError(f"{extension}: {media_type!r} is not as in .xml: text/xml")
        return types

    @field_validator("files")
    @classmethod
    def _file_names(cls, files: tuple[FileName, ...]) -> tuple[FileName, ...]:
        for file in files:
            if not file.rule.profiles or not all(file.rule.profiles):
                raise ValueError(f"{file.name}: must stand for a profile")
        FileRoutes(file.rule for file in files)  # whose error is a ValueError
        return files

    @field_validator("decoys")
    @classmethod
    def _macs(cls, decoys: tuple[str, ...]) -> tuple[str, ...]:
        macs = []
        for text in decoys:
            mac = mac_of(text)
            if mac is None:
                raise ValueError(f"{text!r} is no MAC")
            macs.append(mac)
        return tuple(sorted(set(macs)))

    @property
    def rules(self) -> RepositoryRules:
        """What of this the server acts on."""
        return RepositoryRules(tuple(file.rule for file in self.files), self.decoys)

    @field_validator("max_removals", mode="before")
    @classmethod
    def _limit(cls, limit: Any) -> Any:
        if (
            isinstance(limit, bool)
            or isinstance(limit, int)
            and limit < 0
            or isinstance(limit, str)
            and not _PERCENTAGE.fullmatch(limit)
        ):
            raise ValueError('must be a number, or a percentage such as "20%"')
        return limit

    def content_type(self, path: str) -> str:
        """The content type of a file by its extension."""
        name = path.rpartition("/")[2].removesuffix(".j2")
        dot = name.rfind(".")
        extension = name[dot:].lower() if dot >= 0 else ""
        return self.content_types.get(extension) or CONTENT_TYPES.get(extension, OTHER)

    def removals_allowed(self, documents: int) -> int:
        """How many of `documents` profiles one revision may remove. By default ten, or half of them if that is more."""
        limit = self.max_removals
        if limit is None:
            return max(10, documents // 2)
        if isinstance(limit, int):
            return limit
        return int(documents * float(limit.removesuffix("%")) / 100)

    def too_many_removed(self, removed: int, documents: int, *, left: int) -> Problem | None:
        """What looks wrong with a revision that removes so many of `documents` and leaves so many; None when nothing
        does. The last profile goes unasked only when `max_removals` says a number.
        """
        allowed = self.removals_allowed(documents)
        emptied = removed and not left and self.max_removals is None
        if removed <= allowed and not emptied:
            return None
        what = f"this revision would remove {removed} of {documents} profiles; {allowed} are allowed"
        if emptied:
            what = f"this revision would remove all {documents} profiles"
        hint = f"if it is meant, approve it, or write `max_removals: {removed}` into profiles.yaml in the same commit"
        return Problem("profiles.yaml", 0, 0, what, hint)


def read_settings(path: str, content: bytes) -> RepositorySettings:
    """The settings of a repository; raises UnreadableProfile."""
    return validate(path, read_yaml(path, content), RepositorySettings)
