"""Which path belongs to which profile (design.md section 4). Whatever is elsewhere is none of ours."""

from enum import Enum, auto
from urllib.parse import unquote

from gitops_profile.presentity import InvalidKey, ProfileKey, ProfileType

from .problem import Problem, UnreadableProfile

SETTINGS = "profiles.yaml"
DEFAULTS = "defaults.yaml"
MANIFEST_SUFFIXES = (".yaml", ".yml")
IDENTITY_FOLDERS = frozenset(str(kind) for kind in ProfileType)


class Kind(Enum):
    """What a file is for."""

    SETTINGS = auto()
    DEFAULTS = auto()
    TEMPLATE = auto()
    DATA = auto()
    """Under `files/`: for `file:`."""
    MANIFEST = auto()
    PLAIN = auto()
    IGNORED = auto()


def kind_of(path: str) -> Kind:
    """What the file at `path`, inside the profiles folder, is for."""
    first, _, rest = path.partition("/")
    if path == SETTINGS:
        return Kind.SETTINGS
    if first == "templates" and rest:
        return Kind.TEMPLATE
    if first == "files" and rest:
        return Kind.DATA
    if path == DEFAULTS or (first in IDENTITY_FOLDERS and path.endswith("/" + DEFAULTS)):
        return Kind.DEFAULTS
    if first not in IDENTITY_FOLDERS or not rest or rest.rpartition("/")[2].startswith("."):
        return Kind.IGNORED
    return Kind.MANIFEST if path.endswith(MANIFEST_SUFFIXES) else Kind.PLAIN


def key_of_path(path: str) -> ProfileKey:
    """The profile that a document's path names; raises UnreadableProfile.

    `user/<domain>/<any groups>/<user>.<ext>`, `device/<domain>/<any groups>/<device>.<ext>`,
    `local-network/<domain>.<ext>`.
    """
    kind, *folders, file = path.split("/")
    try:
        name = unquote(file.rpartition(".")[0] or file, errors="strict")
        if kind == ProfileType.LOCAL_NETWORK:
            if folders:
                raise InvalidKey("a local-network profile lies directly in local-network/")
            return ProfileKey.local_network(name)
        if not folders:
            raise InvalidKey(f"a {kind} profile lies in {kind}/DOMAIN/")
        make = ProfileKey.user if kind == ProfileType.USER else ProfileKey.device
        return make(folders[0], name)
    except (InvalidKey, UnicodeDecodeError) as error:
        hint = "write it as user/DOMAIN/USER.ext, device/DOMAIN/MAC.ext or local-network/DOMAIN.ext"
        raise UnreadableProfile(Problem(path, 0, 0, f"the path names no profile: {error}", hint)) from error


def folders_above(path: str) -> list[str]:
    """Every folder whose defaults reach `path`, from the top down; the top is the empty text."""
    parts = path.split("/")[:-1]
    return ["", *("/".join(parts[: n + 1]) for n in range(len(parts)))]
