"""How devices show who they are, as the settings say."""

from urllib.parse import urlsplit

from gitops_profile.config import Config, is_this_machine
from gitops_profile.http import Way


def ways_of(config: Config) -> frozenset[Way]:
    """How devices show who they are; without a word in the settings nobody beyond this machine is served unasked."""
    said, http = config.provisioning.authenticate, config.http
    if said is not None:
        return frozenset(map(Way, said))
    # A reverse proxy may bring the world to a listener on loopback: then the URL says so.
    host = urlsplit(http.public_url or "").hostname or ""
    is_local = http.listen is not None and http.listen.is_loopback and is_this_machine(host)
    return frozenset() if is_local else frozenset({Way.LINK})
