"""How many subscriptions each changed profile has."""

from collections import Counter
from collections.abc import Collection, Iterable

from gitops_profile.presentity import InvalidKey, ProfileKey, ProfileType

from .comparison import ProfileChange


def subscribed_now(
    changes: Iterable[ProfileChange], resources: Iterable[str], known: Collection[ProfileKey], default_device: str
) -> Counter[ProfileKey]:
    """Subscriptions by the key of the changed profile that they are about, under its own name or an alias.

    `resources` has one name for each subscription; `known` are all keys and aliases. A device that is not known has
    the profile of `default_device` in its domain.
    """
    owner = {name: change.key for change in changes for name in change.names}
    counts: Counter[ProfileKey] = Counter()
    for resource in resources:
        try:
            key = ProfileKey.parse(resource)
        except InvalidKey:
            continue  # of a server of another version
        if key not in owner and key not in known and key.profile_type is ProfileType.DEVICE:
            key = ProfileKey.device(key.domain, default_device)
        if key in owner:
            counts[owner[key]] += 1
    return counts
