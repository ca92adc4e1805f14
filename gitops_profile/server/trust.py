"""Whose signatures count, as the settings say it; and that those files change."""

import asyncio
from collections.abc import Callable
from functools import partial

from gitops_profile.config import Config
from gitops_profile.presentity import PresentityTable
from gitops_profile.reconcile import Trust
from gitops_profile.source import KeyFiles, Verifier

from .source import Source


class Signatures:
    """The check of signatures of a server that wants one; else nothing."""

    def __init__(self, config: Config, source: Source) -> None:
        settings = config.trust
        self.trust: Trust | None = None
        self._config = config
        self._source = source
        self._files = KeyFiles(
            settings.keyring and settings.keyring.absolute(),
            settings.allowed_signers and settings.allowed_signers.absolute(),
        )

    async def open(self) -> None:
        """Raises KeysUnusable, NotARepository."""
        mode = self._config.trust.signatures
        if mode == "off":
            return
        await asyncio.to_thread(self._files.read)
        self._verifier = await asyncio.to_thread(partial(Verifier, self._source.location, self._files))
        self.trust = Trust(self._verifier, mode, self._config.repository.ref, self._source.unseen)

    async def close(self) -> None:
        """End its git processes."""
        if self.trust is not None:
            await asyncio.to_thread(self._verifier.close)

    async def watch(self, table: PresentityTable, again: Callable[[], None]) -> None:
        """Have the head looked at again when a file changes and its signature did not count."""
        if self.trust is None:
            return
        seen = await asyncio.to_thread(self._files.stamp)
        while True:
            await asyncio.sleep(1.0)
            stamp = await asyncio.to_thread(self._files.stamp)
            if stamp != seen:
                seen = stamp
                if table.rejected is not None and table.rejected.keys is not None:
                    again()
