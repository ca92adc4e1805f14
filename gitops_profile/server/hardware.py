"""Phones without a subscription: what they are given by URL, what is known of them, how they are told."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter

from gitops_profile.config import Config
from gitops_profile.devices import How, Sighting, model_said, read_user_agent, vendor_of
from gitops_profile.http import AdminError, Handler
from gitops_profile.inventory import Inventory, InventoryStore, InventoryUnavailable
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import PresentityTable, ProfileKey, ProfileType, mac_of
from gitops_profile.push import LineCredentials, PushClient
from gitops_profile.sip import AuthenticationFailed, EventPackage, SubscriptionEvent, SubscriptionStarted
from gitops_profile.sip.syntax import Response
from gitops_profile.state import StateFolder
from gitops_profile.workers import Subscriptions

from .ladder import Closed, Ladder
from .misses import Misses, is_hearsay
from .notifying import Notifying
from .owing import Owing
from .pnp import PlugAndPlay
from .provisioned import Provisioned
from .push import Pusher
from .push_line import PushLine
from .reach import Reach
from .repository_rules import RulesInForce
from .tags import derived_key
from .watched_file import WatchedFile
from .ways import ways_of

if TYPE_CHECKING:
    from gitops_profile.http import Guess

    from .documents import Documents

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
        subscriptions: Subscriptions,
        sip: Notifying,
        beside: Callable[[], Iterable[socket.socket]],
        *,
        on_guess: Callable[[SubscriptionEvent], None],
    ) -> None:
        """`sip` is what speaks to the phones, and knows whom a change has to wait for; `beside` are all UDP sockets."""
        endpoint = sip.endpoint
        self._config = config
        self._state = state
        self._metrics = metrics
        self._table = table
        self._subscriptions = subscriptions
        self._endpoint = endpoint
        self._new_token = sip.new_token
        self.inventory = Inventory()
        self._store: InventoryStore | None = None
        self._broken = False
        self._counters: dict[tuple[How, int], Counter] = {}
        rules = RulesInForce(table)
        self._misses = Misses(rules.decoys, metrics, endpoint.now)
        self.alarm = self._misses.alarm
        self.documents: Documents | None = None
        first = config.provisioning.domain
        self.provisioned = Provisioned(table, [first] if first is not None else [])
        self._lines = WatchedFile(
            config.push.credentials,
            "push.credentials",
            _read_lines,
            lambda lines: f"lines={len(lines)}",
            is_private=True,
        )
        self._line: PushLine | None = None
        self.owing = Owing(table, subscriptions, sip.tag_of, self.provisioned.key_of)
        self._pusher = Pusher(
            config.push, table, self.inventory, self.owing,
            Reach(
                config.push, endpoint.resolver.resolve, endpoint.flow_to, answers_anyone=answers_anyone(config)
            ),
            metrics, endpoint.now, sip.holding.opens,
        )  # fmt: skip

        def guessed(guess: Guess) -> None:
            on_guess(AuthenticationFailed(guess.source, guess.user, guess.realm, guess.reason))

        if config.http.public_url is not None:
            from .documents import Documents  # with aiohttp

            self.documents = Documents(
                config, table, derived_key(secret, "documents"), state.uploads, metrics, self.provisioned,
                authenticator=sip.authenticator, throttle=sip.throttle, tag_of=sip.tag_of, file_routes=rules.routes,
                misses=self._misses, on_guess=guessed, see=self.see, clock=endpoint.now,
            )  # fmt: skip

        base = self.documents.base if self.documents is not None else None
        self._pnp = PlugAndPlay(
            config, base, self.provisioned.key_of, metrics, self.see, endpoint.now, beside,
            self.documents.links.segment if self.documents is not None else lambda mac, expires: "",
        )  # fmt: skip

    async def open(self) -> None:
        """Read what outlived the process. Raises InventoryUnavailable and ConfigError."""
        self._store = await asyncio.to_thread(InventoryStore, self._state.devices)
        self.inventory.take_up(await asyncio.to_thread(self._store.load))
        await asyncio.to_thread(self._lines.read)
        if self.documents is not None:
            await asyncio.to_thread(self.documents.credentials.read)
        if self._config.push.enabled:
            client = PushClient(
                self._new_token, self._answer, rate=self._config.notify.rate,
                in_flight=self._config.notify.in_flight,
            )  # fmt: skip
            self._line = self._pusher.line = PushLine(client, self._endpoint, self._pusher.happened)

    def listen(self) -> None:
        """Hear plug and play; raises InterfaceUnusable."""
        self._pnp.check()

    async def close(self) -> None:
        """Write what is new, and let go of the file."""
        self._pnp.close()
        if self._line is not None:
            self._line.close()
        if self._store is not None:
            await self._write()
            await asyncio.to_thread(self._store.close)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the server does."""
        watched = [self._lines.watch(), *([self.documents.credentials.watch()] if self.documents is not None else [])]
        return [self._keep_writing(), self._pusher.run(), self._pnp.run(), *watched]

    def handlers(self) -> dict[str, Handler]:
        """For the admin socket."""
        return self.documents.handlers() if self.documents is not None else {"link": self._no_links}

    async def _no_links(self, parameters: dict[str, Any]) -> dict[str, Any]:
        raise AdminError("no documents are served by URL: set http.listen and http.public_url")

    def ladder(self, package: EventPackage, held: Callable[[ProfileKey], Closed | None]) -> Ladder:
        """What says where each phone stands; `held` asks the maintenance windows."""
        ways = self._config.push.to if self._config.push.enabled else ()
        return Ladder(self._table, self._subscriptions, package, self.inventory, self.owing, held, ways)

    def facts(self) -> dict[str, Any]:
        """For `status`."""
        return {
            "documents": self.documents.facts() | self._misses.facts() if self.documents is not None else None,
            "pnp": self._pnp.facts(),
            "devices": len(self.inventory),
            "push": self._pusher.facts(),
        }

    def begin(self) -> None:
        """The sockets are open and the subscriptions taken up: phones may be told."""
        self._pusher.begin()

    def changed(self, keys: Iterable[ProfileKey]) -> None:
        """These documents are other ones now."""
        self._pusher.changed(keys)

    def opened(self, keys: Iterable[ProfileKey]) -> None:
        """The maintenance windows of these opened."""
        self._pusher.opened(keys)

    def see(self, sighting: Sighting) -> None:
        """A phone showed itself."""
        if sighting.how in (How.GET, How.PUT) and sighting.status is not None:
            self._count(sighting.how, sighting.status)
        known = self.inventory.get(sighting.device)
        is_known = known is not None and not known.is_stranger
        if self._misses.is_nobody(sighting) or is_hearsay(sighting, is_known=is_known):
            return
        if sighting.mac is not None or (sighting.key or "").startswith(ProfileType.USER):
            device = self.inventory.see(sighting)  # others are nobody: a browser, or somebody who looks around
            if device is not None:
                self._pusher.seen(device)

    def _count(self, how: How, status: int) -> None:
        counter = self._counters.get((how, status))
        if counter is None:  # looking up the labels costs as much as counting
            counter = self._metrics.document_fetches.labels(how.upper(), str(status))
            self._counters[how, status] = counter
        counter.inc()

    def subscribed(self, event: SubscriptionStarted) -> None:
        """A phone subscribed to a device profile: it says who it is, as in plug and play."""
        if not event.resource.startswith(f"{ProfileType.DEVICE}/"):
            return
        held = self._subscriptions.find(event.id)
        mac = mac_of(event.resource.rpartition("/")[2])
        if held is None or mac is None:
            return
        claim = read_user_agent(held.user_agent)
        vendor = vendor_of(held.audience.vendor, mac, claim.vendor)
        # An unknown device that is accepted has the default's profile, and none of its own.
        has_profile = self._table.resolve(ProfileKey.parse(event.resource)) is not None
        self.see(
            Sighting(
                How.SUBSCRIBE, self._endpoint.now(), event.source, mac=mac,
                vendor=vendor.known_name, model=claim.model or model_said(held.audience.model, vendor),
                firmware=claim.firmware or held.audience.version, user_agent=held.user_agent,
                key=event.resource if has_profile else None,
                contact=held.dialog.remote_target, proven=held.identity is not None,
            )
        )  # fmt: skip

    def _answer(self, response: Response, user: str | None, uri: str) -> tuple[str, str] | None:
        return self._lines.value.answer(response, user, uri, cnonce=secrets.token_hex(8))

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


def answers_anyone(config: Config) -> bool:
    """Whether a phone that has not shown who it is may ask for its line's credentials, where it is told directly.

    Where documents are open to everybody nobody can show it.
    """
    said = config.push.challenges
    return said == "anyone" or (said is None and config.http.public_url is not None and not ways_of(config))


def _read_lines(text: str) -> LineCredentials:
    lines = LineCredentials.parse(text)
    for problem in lines.problems:
        logger.warning("push.credentials line %d: %s", problem.line, problem.message)
    return lines
