"""Which path belongs to which profile, and back.

The path says who and which, the file says what: `user/<domain>/<any groups>/<user>.<ext>`,
`device/<domain>/<any groups>/<mac | uuid | name>.<ext>`, `local-network/<domain>.<ext>`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, unquote_to_bytes

from gitops_profile.presentity import InvalidKey, ProfileKey, ProfileType

IDENTITY_FOLDERS = frozenset(profile_type.value for profile_type in ProfileType)
TEMPLATES = "templates"
SETTINGS_FILE = "profiles.yaml"
DEFAULTS_FILE = "defaults.yaml"
MANIFEST_EXTENSIONS = (".yaml", ".yml")
_GUARDED = IDENTITY_FOLDERS | {TEMPLATES, "bases", SETTINGS_FILE, DEFAULTS_FILE}
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class FileKind(Enum):
    """What a file of the profile repository is for."""

    SETTINGS = "settings"
    DEFAULTS = "defaults"
    TEMPLATE = "template"
    MANIFEST = "manifest"
    PLAIN = "plain document"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Place:
    """What a path is, and whose."""

    kind: FileKind
    key: ProfileKey | None = None
    """Set for manifests and plain documents."""


_IGNORED = Place(FileKind.IGNORED)
_TEMPLATE = Place(FileKind.TEMPLATE)
_DEFAULTS = Place(FileKind.DEFAULTS)
_SETTINGS = Place(FileKind.SETTINGS)


def place_of_path(path: str) -> Place:
    """What the file at `path` (inside the profiles folder) is; raises InvalidKey when it can name no profile."""
    folder, _, rest = path.partition("/")
    if folder == TEMPLATES:
        return _TEMPLATE if rest else _IGNORED
    if not rest:
        return {SETTINGS_FILE: _SETTINGS, DEFAULTS_FILE: _DEFAULTS}.get(path, _IGNORED)
    if folder not in IDENTITY_FOLDERS:
        return _IGNORED
    if "/." in path:
        return _IGNORED  # .gitkeep, .editorconfig; a user whose name begins with a dot is written %2E
    name = path.rpartition("/")[2]
    if name == DEFAULTS_FILE:
        return _DEFAULTS
    if name == "defaults.yml":
        raise InvalidKey("folder defaults are called defaults.yaml")
    extension = extension_of(path)
    kind = FileKind.MANIFEST if extension in MANIFEST_EXTENSIONS else FileKind.PLAIN
    return Place(kind, _key(folder, rest, extension))


def key_of_path(path: str) -> ProfileKey | None:
    """The key of the profile kept at `path`, None for every other file; raises InvalidKey."""
    return place_of_path(path).key


def path_of_key(key: ProfileKey, extension: str = ".yaml") -> str:
    """Where a profile is kept when it is in no group: the inverse of `key_of_path`."""
    if key.profile_type is ProfileType.LOCAL_NETWORK:
        return f"{key.profile_type}/{_escaped(key.domain)}{extension}"
    return f"{key.profile_type}/{key.domain}/{_escaped(key.name)}{extension}"


def extension_of(path: str) -> str:
    """The last extension of a file name in lower case with its dot, "" when it has none."""
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def folders_of(path: str) -> Iterator[str]:
    """The folders a file lies in, from the profiles folder ("") down."""
    yield ""
    start = path.find("/")
    while start >= 0:
        yield path[:start]
        start = path.find("/", start + 1)


def is_guarded(path: str) -> bool:
    """Whether a symbolic link or submodule at `path` could lead the loader out of the tree."""
    return path.partition("/")[0] in _GUARDED


def _key(folder: str, rest: str, extension: str) -> ProfileKey:
    *groups, name = rest.split("/")
    stem = _unescaped(name[: len(name) - len(extension)])
    if folder == ProfileType.LOCAL_NETWORK:
        if groups:
            raise InvalidKey("a local-network profile is local-network/DOMAIN.EXTENSION, without folders")
        return ProfileKey.local_network(stem)
    if not groups:
        raise InvalidKey(f"belongs into a domain's folder: {folder}/DOMAIN/{name}")
    make = ProfileKey.user if folder == ProfileType.USER else ProfileKey.device
    return make(_unescaped(groups[0]), stem)


def _unescaped(text: str) -> str:
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise InvalidKey(f"{text!r} has a '%' without two hexadecimal digits; write '%25' for a percent sign")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise InvalidKey(f"{text!r} is not UTF-8 when decoded") from error


def _escaped(name: str) -> str:
    escaped = quote(name, safe="[]:")
    if escaped[0] == "." or escaped == "defaults":  # hidden files and defaults.yaml have their own meaning
        return f"%{ord(escaped[0]):02X}{escaped[1:]}"
    return escaped
