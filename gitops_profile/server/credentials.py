"""The credentials files of the domains, read again when they change (`gitops-profile passwd` writes them)."""

import logging
from collections.abc import Mapping
from pathlib import Path

from gitops_profile.digest import CredentialStore, Lookup

from .watched_file import FileSignature, file_signature

logger = logging.getLogger(__name__)

MAX_BYTES = 64 << 20


class CredentialFiles:
    """Who may authenticate in which domain. A file that cannot be read leaves what was read before in force."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = dict(files)
        self._stores: dict[str, CredentialStore] = {}
        self._seen: dict[str, FileSignature | None] = {}

    def __bool__(self) -> bool:
        return bool(self._files)

    def read(self) -> None:
        """Read all of them; raises OSError for one that cannot be read."""
        for domain, path in self._files.items():
            signature = file_signature(path)
            self._take(domain, path, path.read_bytes())
            self._seen[domain] = signature

    def read_changed(self) -> bool:
        """Read those that changed; whether any did. Blocks, raises nothing."""
        changed = False
        for domain, path in self._files.items():
            try:
                signature = file_signature(path)
                if signature == self._seen.get(domain):
                    continue
                data = path.read_bytes()
            except OSError as error:
                if self._seen.get(domain) is not None:
                    logger.warning("credentials of %s cannot be read, the old ones stay: %s", domain, error)
                self._seen[domain] = None
                continue
            self._seen[domain] = signature
            self._take(domain, path, data)
            logger.info("credentials read again domain=%s users=%d", domain, len(self._stores[domain]))
            changed = True
        return changed

    def lookup(self, domain: str) -> Lookup:
        """The look-up of a domain's users; of one that has no file, nobody."""
        return self._stores.get(domain, _NOBODY).lookup

    def _take(self, domain: str, path: Path, data: bytes) -> None:
        store = CredentialStore.parse(data[:MAX_BYTES].decode("utf-8", "surrogateescape"))
        for problem in store.problems:
            logger.warning("%s line %d: %s", path, problem.line, problem.message)
        self._stores[domain] = store


_NOBODY = CredentialStore.parse("")
