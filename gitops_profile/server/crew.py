"""The workers beside the main process: what they are told, and what they tell. Of one worker there is nothing here."""

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any

from gitops_profile.config import Config
from gitops_profile.eventlog import FileEventLog
from gitops_profile.reconcile import Journal
from gitops_profile.sip import StoredSubscription, SubscriptionEvent
from gitops_profile.state import StateFolder
from gitops_profile.subscriptions import SubscriptionStore
from gitops_profile.transport import ListenAddress, bind_all
from gitops_profile.workers import (
    Bound,
    Owners,
    Pool,
    Post,
    Subscriptions,
    close_all,
    for_workers,
    mailbox,
    tell,
)

from .notifying import Notifying
from .observer import Observer

MODULE = "gitops_profile.server.worker"


class Crew:
    """All workers of one server, this process being the first."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.count = config.workers
        self.owners = Owners(0, self.count, config.trusted_proxies)
        self._listeners: list[Bound] = []
        self._pool: Pool | None = None
        self._post: Post | None = None
        self._mailboxes = [mailbox() for _ in range(self.count if self.count > 1 else 0)]

    def bind(self) -> Bound:
        """Bind the listeners; those of this process. Raises ListenError."""
        bound = bind_all(ListenAddress.parse(str(listener)) for listener in self._config.listen)
        self._listeners = [bound]
        self._listeners = for_workers(bound, self.count)
        return bound

    def datagram_sockets(self) -> list[socket.socket]:
        """Those of the UDP listeners, of all workers."""
        return [sock for bound in self._listeners for address, sock in bound if address.transport == "udp"]

    def release(self) -> None:
        """Close every socket."""
        close_all(self._listeners)
        for pair in self._mailboxes:
            for sock in pair:
                sock.close()

    def assemble(
        self, ours: Notifying, store: SubscriptionStore, journal: Journal, log: FileEventLog, secret: bytes,
        state: StateFolder, observer: Observer, on_event: Callable[[SubscriptionEvent], None],
    ) -> Subscriptions:  # fmt: skip
        """Make the others, without starting them; the subscriptions of all together."""
        if self.count == 1:
            self.subscriptions = Subscriptions(ours.notifier)
            return self.subscriptions

        def setup() -> dict[str, Any]:
            return {
                "config": self._config.model_dump_json(exclude={"repository"}),
                "secret": secret,
                "state": str(state.folder),
                "log": log.extent,
                "clock": ours.endpoint.clock_offset,
                "level": logging.getLogger().level,
            }

        def report(said: Any) -> None:
            tell(said, on_event, observer)

        self._pool = Pool(
            MODULE, self._listeners, self._mailboxes, store, setup, stand_in=ours.endpoint.stand_in, on_report=report,
            on_quiet=lambda number: self.subscriptions.unquiet.discard(number),
            on_resource=ours.package.note, on_restart=observer.worker_restarted,
        )  # fmt: skip
        self.subscriptions = Subscriptions(
            ours.notifier, self._pool.mirrors, self.owners.of_subscription, self._pool.tell
        )
        journal.on_moved.append(lambda: self.tell("log", log.extent))
        mailboxes = {number: pair[1] for number, pair in enumerate(self._mailboxes) if number}
        self._post = Post(self.owners, self._mailboxes[0][0], mailboxes, ours.endpoint)
        ours.endpoint.colleagues = self._post
        return self.subscriptions

    def tell(self, *message: Any) -> None:
        """Say a word to all others."""
        if self._pool is not None:
            self._pool.tell(*message)

    def take_up(self, rows: Sequence[StoredSubscription]) -> Sequence[StoredSubscription]:
        """Share the subscriptions of an earlier life out; those that are this process's own."""
        if self._pool is None or self._post is None:
            return rows
        shares: dict[int, list[StoredSubscription]] = {number: [] for number in range(self.count)}
        for row in rows:
            shares[self.owners.of_token(row.local_tag)].append(row)
        self._pool.take_up(shares)
        self._post.start()
        return shares[0]

    async def run(self) -> None:
        """Keep the others running."""
        if self._pool is not None:
            await self._pool.run()

    async def ready(self) -> None:
        """Wait until all of them serve."""
        if self._pool is not None:
            await self._pool.ready()

    async def close(self) -> None:
        """End the others, after what they have written is written."""
        if self._pool is not None:
            await self._pool.close()
        if self._post is not None:
            self._post.close()

    def facts(self) -> list[dict[str, Any]]:
        """For `status`: of the others."""
        return self._pool.facts() if self._pool is not None else []
