"""What the path of a provisioning URL asks for: `[DOMAIN/][~CAPABILITY/][folders/]FILE`."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from gitops_profile.devices import FileKind, FileRequest, FileRoutes
from gitops_profile.presentity import InvalidKey, ProfileKey, canonical_domain

from .document_links import Capability, DocumentLinks

MAX_PATH = 2048
"""Characters of a path; a longer one asks for nothing."""
MAX_SEGMENTS = 16
_BY_NAME = {"user": ProfileKey.user, "device": ProfileKey.device}
"""Folders in which a file may have the name of a profile."""
_TILDE = re.compile("~|%7[Ee]")
"""A `~` is the same when it is encoded (RFC 3986 §6.2.2.2)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a path asks for."""

    domain: str | None
    """Named in the path; None when it names none."""
    capability: Capability | None
    file: FileRequest
    name: str
    """The file's name."""
    profile: ProfileKey | None = None
    """The one that it names by its key: a user's, or the one that the capability is for. None when it names a file."""

    @property
    def device(self) -> str | None:
        """Whom it is about: a MAC, or the key of the profile; None for what all phones may ask for."""
        return str(self.profile) if self.profile is not None else self.file.mac


NOTHING = Asked(None, None, FileRequest(FileKind.NONE), "")


def read_path(raw: str, links: DocumentLinks, routes: FileRoutes, domains: Collection[str], now: float) -> Asked:
    """What `raw`, a path as it came without its prefix and query, asks for.

    Each segment is decoded by itself: an encoded slash, a dot segment or a control character makes it ask for nothing,
    and no path is ever one of the file system.
    """
    parts = raw.split("/")
    if len(raw) > MAX_PATH or len(parts) > MAX_SEGMENTS:
        return NOTHING
    domain, capability, folders = None, None, []
    for number, part in enumerate(parts[:-1]):
        if capability is None and _TILDE.match(part):
            capability = links.read(_TILDE.sub("~", part, count=1), now)
            if capability is None:
                return NOTHING
            continue
        text = _decoded(part)
        if text is None:
            return NOTHING
        if number == 0 and (named := _domain(text, domains)) is not None:
            domain = named
        else:
            folders.append(text)
    name = _decoded(parts[-1])
    if name is None:
        return NOTHING
    if domain is not None and len(folders) == 1 and folders[0] in _BY_NAME:
        key = _named(folders[0], domain, name, capability)
        if key is not None or folders[0] == "user":
            return Asked(domain, capability, FileRequest(FileKind.NONE), name, key)
    return Asked(domain, capability, routes.read(name), name)


def may_hold_capability(path: str) -> bool:
    """Whether something in a path, as it came, may be a capability, which is over some day."""
    return _TILDE.search(path) is not None


def _domain(text: str, domains: Collection[str]) -> str | None:
    if text in domains:
        return text
    try:
        domain = canonical_domain(text)
    except InvalidKey:
        return None
    return domain if domain in domains else None


def _named(folder: str, domain: str, name: str, capability: Capability | None) -> ProfileKey | None:
    """The profile of this name; None when a file has it.

    A name may have a dot of its own, as first.last: whether what is behind it is an ending, only a capability says.
    Whoever has none for a device asks for a file.
    """
    keys = [_key(folder, domain, text) for text in (name, name.rpartition(".")[0] or name)]
    linked = (key for key in keys if capability is not None and key is not None and str(key) == capability.subject)
    return next(linked, keys[-1] if folder == "user" else None)


def _key(folder: str, domain: str, name: str) -> ProfileKey | None:
    try:
        return _BY_NAME[folder](domain, name)
    except InvalidKey:
        return None


def _decoded(segment: str) -> str | None:
    text = segment
    if "%" in segment or not segment.isascii():
        text = unquote_to_bytes(segment).decode("utf-8", "surrogateescape")
    return text if text.isprintable() and "/" not in text and "\\" not in text and text not in ("", ".", "..") else None


Resolve = Callable[[str | None, str], ProfileKey | None]
"""A canonical domain, or None for any, and the name of a device profile: its key; None when there is no such."""
