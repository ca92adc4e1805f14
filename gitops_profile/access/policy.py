"""What an operator says about a domain: how its subscribers show who they are, and what they may have."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from gitops_profile.presentity import InvalidKey, ProfileKey, ProfileType


@dataclass(frozen=True, slots=True)
class AccessRule:
    """An exception from "own profile only": whose identity matches `who` may have what matches `may`."""

    who: str
    """`user@domain` with `*` and `?`."""
    may: tuple[str, ...]
    """Profile keys with `*` and `?`."""

    def allows(self, identity: str, resource: str) -> bool:
        """Whether this rule is about them."""
        return fnmatchcase(identity, self.who) and any(fnmatchcase(resource, pattern) for pattern in self.may)


@dataclass(frozen=True, slots=True)
class DomainPolicy:
    """One domain."""

    digest: bool
    """Whether subscribers must authenticate; otherwise anybody may subscribe to anything in it."""
    realm: str
    algorithms: tuple[str, ...] = ("MD5",)
    rules: tuple[AccessRule, ...] = ()

    def permits(self, identity: str | None, key: ProfileKey) -> bool:
        """Whether `identity` may have the profile `key` of this domain (RFC 6080 §9).

        The own AoR and the own device; the local-network profile is for all who are known in the domain. Where nobody
        has to say who he is, only a user profile is kept from somebody who is known to be another user.
        """
        if identity is None:
            return not self.digest
        user, _, domain = identity.rpartition("@")
        if any(rule.allows(identity, str(key)) for rule in self.rules):
            return True
        if domain != key.domain:
            return False
        match key.profile_type:
            case ProfileType.LOCAL_NETWORK:
                return True
            case ProfileType.USER:
                return user == key.name
            case ProfileType.DEVICE:
                return not self.digest or _same_device(user, key)


def _same_device(user: str, key: ProfileKey) -> bool:
    """Whether a user name is a spelling of the device's identifier."""
    try:
        return ProfileKey.device(key.domain, user) == key
    except InvalidKey:
        return False
