"""`aliases`: further AoRs or device ids under which one profile is found."""

from gitops_profile.presentity import InvalidKey, ProfileKey, ProfileType

from .layout import unescaped
from .manifest import ReadManifest
from .problem import Problem, UnreadableProfile
from .yaml_reader import Place

_SCHEMES = ("sip", "sips")
_TYPES = frozenset(profile_type.value for profile_type in ProfileType)


def alias_key(text: str, profile: ProfileKey) -> ProfileKey:
    """The key that an alias of `profile` names; raises InvalidKey.

    An AoR with or without `sip:`, a device id in any spelling (in the domain of the profile unless it is `id@domain`),
    for a local network a domain; or the key itself, such as `user/example.com/alice`. It has the profile's own type.
    """
    kind, slash, _ = text.partition("/")
    if slash and kind in _TYPES:
        key = ProfileKey.parse(text)
        if key.profile_type is not profile.profile_type:
            raise InvalidKey(
                f"{text!r} is a {key.profile_type} profile, and this one is a {profile.profile_type} profile"
            )
        return key
    scheme, colon, rest = text.partition(":")
    who, at, domain = (rest if colon and scheme.lower() in _SCHEMES else text).rpartition("@")
    match profile.profile_type:
        case ProfileType.USER:
            if not at:
                raise InvalidKey(f"{text!r} is no address such as sip:user@{profile.domain}")
            return ProfileKey.user(domain, unescaped(who))
        case ProfileType.DEVICE:
            return ProfileKey.device(domain if at else profile.domain, unescaped(who if at else domain))
        case ProfileType.LOCAL_NETWORK:
            return ProfileKey.local_network(text)


def read_aliases(path: str, read: ReadManifest, profile: ProfileKey) -> tuple[ProfileKey, ...]:
    """The aliases of a manifest, each once; raises UnreadableProfile with all that are none."""
    keys: dict[ProfileKey, None] = {}
    problems = []
    for number, text in enumerate(read.manifest.aliases):
        try:
            keys[alias_key(text, profile)] = None
        except InvalidKey as error:
            problems.append(Problem(path, *read.data.place(("aliases", number)), f"alias: {error}", rule="alias"))
    if problems:
        raise UnreadableProfile(*problems)
    keys.pop(profile, None)  # the profile itself in another spelling
    return tuple(keys)


def places_of_aliases(read: ReadManifest, profile: ProfileKey) -> dict[ProfileKey, Place]:
    """Line and column of each alias, where it is first, by the key that it became."""
    places: dict[ProfileKey, Place] = {}
    for number, text in enumerate(read.manifest.aliases):
        places.setdefault(alias_key(text, profile), read.data.place(("aliases", number)))
    return places
