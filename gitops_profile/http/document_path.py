"""What the path of a provisioning URL asks for: `[DOMAIN/][~CAPABILITY/][folders/]FILE`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from gitops_profile.devices import FileKind, FileRequest, FileRoutes
from gitops_profile.presentity import InvalidKey, ProfileKey, canonical_domain

from .document_links import Capability, DocumentLinks

MAX_PATH = 2048
"""Characters of a path; a longer one asks for nothing."""
MAX_SEGMENTS = 16
_USER = "user"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a path asks for."""

    domain: str | None
    """Named in the path; None when it names none."""
    capability: Capability | None
    file: FileRequest
    name: str
    """The file's name."""
    user: ProfileKey | None = None
    """The user profile, when it asks for one."""

    @property
    def device(self) -> str | None:
        """Whom it is about: a MAC, or the key of the user profile; None for what all phones may ask for."""
        return str(self.user) if self.user is not None else self.file.mac


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
        if part.startswith("~") and capability is None:
            capability = links.read(part, now)
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
    if folders == [_USER] and domain is not None:
        return Asked(domain, capability, FileRequest(FileKind.NONE), name, _user(domain, name))
    return Asked(domain, capability, routes.read(name), name)


def _domain(text: str, domains: Collection[str]) -> str | None:
    if text in domains:
        return text
    try:
        domain = canonical_domain(text)
    except InvalidKey:
        return None
    return domain if domain in domains else None


def _user(domain: str, name: str) -> ProfileKey | None:
    try:
        return ProfileKey.user(domain, name.rpartition(".")[0] or name)
    except InvalidKey:
        return None


def _decoded(segment: str) -> str | None:
    text = segment
    if "%" in segment or not segment.isascii():
        text = unquote_to_bytes(segment).decode("utf-8", "surrogateescape")
    return text if text.isprintable() and "/" not in text and "\\" not in text and text not in ("", ".", "..") else None


Resolve = Callable[[str | None, str], ProfileKey | None]
"""A canonical domain, or None for any, and the name of a device profile: its key; None when there is no such."""
