"""Which path belongs to which profile, and back.

The path says who and which, the file says what: `user/<domain>/<any groups>/<user>.<ext>`,
`device/<domain>/<any groups>/<mac | uuid | name>.<ext>`, `local-network/<domain>.<ext>`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from urllib.parse import quote, unquote_to_bytes

from gitops_profile.presentity import InvalidKey, ProfileKey, ProfileType

from .problem import Problem, UnreadableProfile

IDENTITY_FOLDERS = frozenset(profile_type.value for profile_type in ProfileType)
SETTINGS = "profiles.yaml"
DEFAULTS = "defaults.yaml"
BASES = "bases"
MANIFEST_EXTENSIONS = (".yaml", ".yml")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Kind(Enum):
    """What a file of the profile repository is for."""

    SETTINGS = "settings"
    DEFAULTS = "defaults"
    BASE = "base"
    TEMPLATE = "template"
    MANIFEST = "manifest"
    PLAIN = "plain document"
    DATA = "data"
    IGNORED = "ignored"


DOCUMENTS = (Kind.MANIFEST, Kind.PLAIN)
"""Files that are a profile each."""
_FOLDERS = {"templates": Kind.TEMPLATE, "files": Kind.DATA}


def kind_of(path: str) -> Kind:
    """What the file at `path` (inside the profiles folder) is. What is outside the known folders is ignored."""
    folder, _, rest = path.partition("/")
    if not rest:
        # A link or a submodule in the place of a folder is such a file: it must not be overlooked.
        named = {SETTINGS: Kind.SETTINGS, DEFAULTS: Kind.DEFAULTS}
        return named.get(path, Kind.PLAIN if folder in IDENTITY_FOLDERS else Kind.IGNORED)
    if folder in _FOLDERS:
        return _FOLDERS[folder]
    if folder == BASES and "/." not in path and _extension(path).lower() in MANIFEST_EXTENSIONS:
        return Kind.BASE
    if folder not in IDENTITY_FOLDERS or "/." in path:
        return Kind.IGNORED  # .gitkeep, .editorconfig; a user whose name begins with a dot is written %2E
    if path.endswith(f"/{DEFAULTS}"):
        return Kind.DEFAULTS
    return Kind.MANIFEST if _extension(path).lower() in MANIFEST_EXTENSIONS else Kind.PLAIN


def leaves_tree(path: str) -> bool:
    """Whether a part of the path is one that git itself would not check out: `..`, `.`, nothing, or its own folder."""
    if "/." not in path and "//" not in path and path[:1] not in ("", "/", ".") and path[-1] != "/":
        return False  # nearly all: 0.26 µs in place of 1.2
    return any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/"))


def key_of_path(path: str) -> ProfileKey:
    """The key of the profile kept at the path of a manifest or plain document; raises UnreadableProfile."""
    folder, _, rest = path.partition("/")
    try:
        return _key(folder, rest)
    except InvalidKey as error:
        raise UnreadableProfile(Problem(path, 0, 0, f"the path names no profile: {error}", rule="path")) from error


def document_path(paths: Iterable[str], keys: Sequence[ProfileKey]) -> str | None:
    """The file of the first of the keys that has one of its own; aliases stand in the files, and are not found."""
    found: dict[ProfileKey, str] = {}
    for path in paths:
        if kind_of(path) in DOCUMENTS:
            try:
                found.setdefault(key_of_path(path), path)
            except UnreadableProfile:
                continue  # of no key: `check` says so
    return next((found[key] for key in keys if key in found), None)


def path_of_key(key: ProfileKey, extension: str = ".yaml") -> str:
    """Where a profile is kept when it is in no group: the inverse of `key_of_path`."""
    if key.profile_type is ProfileType.LOCAL_NETWORK:
        return f"{key.profile_type}/{_escaped(key.domain)}{extension}"
    return f"{key.profile_type}/{key.domain}/{_escaped(key.name)}{extension}"


def folders_above(path: str) -> Iterator[str]:
    """The folders a file lies in, from the profiles folder ("") down."""
    yield ""
    start = path.find("/")
    while start >= 0:
        yield path[:start]
        start = path.find("/", start + 1)


def unescaped(text: str) -> str:
    """Percent-escapes decoded, as in a file name or an AoR; raises InvalidKey."""
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise InvalidKey(f"{text!r} has a '%' without two hexadecimal digits; write '%25' for a percent sign")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise InvalidKey(f"{text!r} is not UTF-8 when decoded") from error


def _extension(path: str) -> str:
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""


def _key(folder: str, rest: str) -> ProfileKey:
    *groups, name = rest.split("/")
    if name == "defaults.yml":
        raise InvalidKey("folder defaults are called defaults.yaml")
    stem = unescaped(name.removesuffix(_extension(name)))
    if folder == ProfileType.LOCAL_NETWORK:
        if groups:
            raise InvalidKey("a local-network profile is local-network/DOMAIN.EXTENSION, without folders")
        return ProfileKey.local_network(stem)
    if not groups:
        raise InvalidKey(f"it belongs into a folder of its domain, {folder}/DOMAIN/{name}")
    make = ProfileKey.user if folder == ProfileType.USER else ProfileKey.device
    return make(unescaped(groups[0]), stem)


def _escaped(name: str) -> str:
    escaped = quote(name, safe="[]:")
    if escaped[0] == "." or escaped == "defaults":  # hidden files and defaults.yaml have their own meaning
        return f"%{ord(escaped[0]):02X}{escaped[1:]}"
    return escaped
