"""Phones without a subscription: what they are given by URL, what is known of them, how they are told."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from gitops_profile.config import Config
from gitops_profile.devices import FileRoutes, How, Sighting
from gitops_profile.digest import DigestAuthenticator, Throttle
from gitops_profile.http import Guess, Handler
from gitops_profile.inventory import Inventory, InventoryStore, InventoryUnavailable
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import Presentation, PresentityTable, ProfileType
from gitops_profile.sip import AuthenticationFailed, SubscriptionEvent
from gitops_profile.state import StateFolder

from .documents import Documents
from .tags import derived_key

logger = logging.getLogger(__name__)

WRITE_EVERY = 1.0
"""Seconds between two writes of the inventory."""


class Hardware:
    """Everything for phones that fetch a file and are told to fetch it again."""

    def __init__(
        self,
        config: Config,
        state: StateFolder,
        table: PresentityTable,
        secret: bytes,
        metrics: Metrics,
        *,
        authenticator: DigestAuthenticator,
        throttle: Throttle,
        tag_of: Callable[[Presentation], str],
        on_guess: Callable[[SubscriptionEvent], None],
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._metrics = metrics
        self._table = table
        self.inventory = Inventory()
        self._store: InventoryStore | None = None
        self._broken = False
        self._routes = FileRoutes()
        self.documents: Documents | None = None

        def guessed(guess: Guess) -> None:
            on_guess(AuthenticationFailed(guess.source, guess.user, guess.realm, guess.reason))

        if config.http.public_url is not None:
            self.documents = Documents(
                config, table, derived_key(secret, "documents"), state.uploads, metrics,
                authenticator=authenticator, throttle=throttle, tag_of=tag_of, file_routes=lambda: self._routes,
                decoys=frozenset, on_guess=guessed, see=self.see, clock=clock,
            )  # fmt: skip

    async def open(self) -> None:
        """Read what outlived the process. Raises InventoryUnavailable and ConfigError."""
        self._store = await asyncio.to_thread(InventoryStore, self._state.devices)
        self.inventory = Inventory(await asyncio.to_thread(self._store.load))
        if self.documents is not None:
            await asyncio.to_thread(self.documents.credentials.read)

    async def close(self) -> None:
        """Write what is new, and let go of the file."""
        if self._store is not None:
            await self._write()
            await asyncio.to_thread(self._store.close)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the server does."""
        return [self._keep_writing(), *([self.documents.credentials.watch()] if self.documents is not None else [])]

    def handlers(self) -> dict[str, Handler]:
        """For the admin socket."""
        return {} if self.documents is None else self.documents.handlers()

    def see(self, sighting: Sighting) -> None:
        """A phone showed itself."""
        if sighting.how in (How.GET, How.PUT) and sighting.status is not None:
            self._metrics.document_fetches.labels(sighting.how.upper(), str(sighting.status)).inc()
        if sighting.mac is not None or (sighting.key or "").startswith(ProfileType.USER):
            self.inventory.see(sighting)  # others are nobody: a browser, or somebody who looks around

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY)
            await self._write()

    async def _write(self) -> None:
        assert self._store is not None
        devices, gone = self.inventory.take_changed()
        if not devices and not gone:
            return
        try:
            await asyncio.to_thread(self._store.write, devices, gone)
        except InventoryUnavailable as error:
            self.inventory.give_back(devices, gone)
            if not self._broken:
                logger.error("what is seen of phones cannot be stored, it is tried again: %s", error)
            self._broken = True
        else:
            self._broken = False
