"""Whose signatures count, as the settings say it; and that those files change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_profile.config import Config
from gitops_profile.presentity import PresentityTable
from gitops_profile.reconcile import Trust, Unseen
from gitops_profile.source import KeyFiles

if TYPE_CHECKING:
    from gitops_profile.source import Verifier


class Signatures:
    """The check of signatures where the settings want one; else nothing."""

    def __init__(self, config: Config, location: Path, unseen: Unseen) -> None:
        """`location` is that of the repository; touches nothing."""
        self._settings = config.trust
        self._ref = config.repository.ref
        self._location = location
        self._unseen = unseen
        self._files = KeyFiles(
            self._settings.keyring and self._settings.keyring.absolute(),
            self._settings.allowed_signers and self._settings.allowed_signers.absolute(),
            self._settings.revoked_keys and self._settings.revoked_keys.absolute(),
        )
        self._verifier: Verifier | None = None
        self.trust: Trust | None = None

    def open(self) -> None:
        """Build `trust`. Blocks; raises KeysUnusable."""
        mode = self._settings.signatures
        if mode == "off":
            return
        from gitops_profile.source import Verifier

        self._files.read()
        self._verifier = Verifier(self._location, self._files)
        self.trust = Trust(self._verifier, mode, self._ref, self._unseen)

    def close(self) -> None:
        """End its git processes. Blocks."""
        if self._verifier is not None:
            self._verifier.close()

    async def watch(self, table: PresentityTable, again: Callable[[], None]) -> None:
        """Have the head looked at again when its signature did not count, and may by now."""
        if self.trust is not None:
            await self.trust.watch(table, again)
