"""Documents by URL, as the settings say."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from gitops_profile.config import Config
from gitops_profile.devices import FileRoutes, Sighting
from gitops_profile.digest import CredentialStore, DigestAuthenticator, Throttle, read_generations
from gitops_profile.http import (
    DOCUMENTS_PATH,
    AdminError,
    DeviceDocuments,
    DeviceGate,
    DevicePasswords,
    DocumentLinks,
    Guess,
    Handler,
    MissBudget,
    UploadLimits,
    UploadMode,
    Uploads,
    Way,
)
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import InvalidKey, Presentation, PresentityTable, ProfileKey, ProfileType, mac_of

from .misses import MISS_SECONDS, Misses
from .provisioned import Provisioned
from .views import iso
from .watched_file import WatchedFile
from .ways import ways_of

logger = logging.getLogger(__name__)

LINK_SECONDS = 7 * 86400.0
MAX_LINK_SECONDS = 366 * 86400.0


def _read_stores(text: str) -> Sequence[CredentialStore]:
    stores, problems = read_generations(text)
    for problem in problems:
        logger.warning("provisioning.credentials line %d: %s", problem.line, problem.message)
    return stores


class Documents:
    """What is served at p/ below the public URL, and the links that lead there."""

    def __init__(
        self,
        config: Config,
        table: PresentityTable,
        secret: bytes,
        uploads: Path,
        metrics: Metrics,
        provisioned: Provisioned,
        *,
        authenticator: DigestAuthenticator,
        throttle: Throttle,
        tag_of: Callable[[Presentation], str],
        file_routes: Callable[[], FileRoutes],
        misses: Misses,
        on_guess: Callable[[Guess], None],
        see: Callable[[Sighting], None],
        clock: Callable[[], float],
    ) -> None:
        """`secret` makes the links; `uploads` is the folder of what phones send."""
        self._config = config
        self._table = table
        self._clock = clock
        settings = config.provisioning
        self.credentials = WatchedFile(
            settings.credentials, "provisioning.credentials", _read_stores, lambda stores: f"devices={len(stores[0])}"
        )
        self.links = DocumentLinks(secret)
        self._provisioned = provisioned
        ways = ways_of(config)
        passwords = DevicePasswords(
            ways, settings.realm, authenticator, throttle, lambda: self.credentials.value,
            algorithms=tuple(settings.algorithms), on_guess=on_guess,
        )  # fmt: skip
        self._gate = DeviceGate(
            ways, passwords, MissBudget(settings.misses, MISS_SECONDS, settings.ban), decoys=misses.decoys,
            is_open_to=settings.bootstrap.is_open_to, proxies=tuple(config.trusted_proxies), on_missed=misses.missed,
            clock=clock,
        )  # fmt: skip
        limits = UploadLimits(settings.upload_bytes, settings.uploads_bytes)
        self._documents = DeviceDocuments(
            table, self._gate, self.links, Uploads(UploadMode(settings.uploads), uploads, limits),
            prefix=urlsplit(self.base).path, resolve=self.resolve, routes=file_routes, tag_of=tag_of, see=see,
            clock=clock,
        )  # fmt: skip
        self.routes = self._documents.routes

    @property
    def base(self) -> str:
        """The URL under which documents are; it ends in a slash."""
        return f"{self._config.http.public_url}{DOCUMENTS_PATH}"

    def resolve(self, domain: str | None, name: str) -> ProfileKey | None:
        """The key of the device profile of this name, in this domain (a canonical name) or in any."""
        try:
            if domain is not None:
                return self._provisioned.key_in(domain, name)
            return self._provisioned.key_of(name)
        except InvalidKey:
            return None

    def handlers(self) -> dict[str, Handler]:
        """For the admin socket."""
        return {"link": self._link}

    async def _link(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """A URL under which `subject`, a MAC or the key of a profile, finds its document for `seconds`."""
        text, seconds = parameters.get("subject"), parameters.get("seconds", LINK_SECONDS)
        if not isinstance(seconds, int | float) or not 0 < seconds <= MAX_LINK_SECONDS:
            raise AdminError(f"seconds must be more than 0 and at most {MAX_LINK_SECONDS:.0f}")
        if Way.LINK not in ways_of(self._config):
            raise AdminError("links open nothing here: put link into provisioning.authenticate")
        key = self._key(str(text))
        expires = self._clock() + seconds
        device = mac_of(key.name) or (mac_of(str(text)) if key.profile_type is ProfileType.DEVICE else None)
        subject = device or str(key)
        folder = "" if device is not None else f"{key.profile_type}/"
        segment = self.links.segment(subject, expires)
        url = f"{self.base}{key.domain}/{segment}/{folder}"
        if device is None:
            url += quote(key.name, safe="")
            if self._documents.named_by(urlsplit(url).path) != key:
                raise AdminError(f"no URL can hold the name {key.name!r}: it has a slash or the like, or is too long")
        return {"url": url, "key": str(key), "device": device, "expires_at": iso(expires)}

    def _key(self, text: str) -> ProfileKey:
        device = mac_of(text)
        try:
            key = self.resolve(None, device) if device is not None else self._table.resolve(ProfileKey.parse(text))
        except InvalidKey as error:
            raise AdminError(f"{text!r} is neither a MAC nor a key: {error}") from error
        if key is None or key.profile_type is ProfileType.LOCAL_NETWORK:
            raise AdminError(f"there is no user or device profile {text}")
        return key

    def facts(self) -> dict[str, Any]:
        """For `status`."""
        return {"url": self.base, "authenticate": sorted(ways_of(self._config))}
