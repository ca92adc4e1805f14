"""A worker process: speaks SIP for the dialogs that are its own, and does whatever else the main process does not.

It serves what the log says as far as the main process says that it is durable, and keeps nothing: its subscriptions
are written by the main process, which gives them to the one that takes its place. It lives no longer than that process.
"""

import asyncio
import gc
import logging
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from gitops_profile.config import Config
from gitops_profile.eventlog import LogCorrupt, LogUnavailable
from gitops_profile.log_lines import begin_log
from gitops_profile.presentity import ProfileKey, UnknownEvent
from gitops_profile.processes import end_with_the_server
from gitops_profile.reconcile import FollowedTable
from gitops_profile.sip import StoredSubscription, SubscriptionEvent
from gitops_profile.state import StateFolder
from gitops_profile.transport import CertificateError, ListenAddress, ListenError
from gitops_profile.workers import Channel, Owners, Post, RemoteStore, Reports, is_worth_a_line, unpack

from . import derived, gatekeeping
from .notifying import DRAIN_SECONDS, DRAIN_STEP, Notifying

logger = logging.getLogger(__name__)

_EXPECTED = (LogCorrupt, LogUnavailable, UnknownEvent, CertificateError, ListenError, OSError)


class Worker:
    """One life of one worker."""

    def __init__(self) -> None:
        self._words: asyncio.Queue[list[Any]] = asyncio.Queue()
        self._rows: list[StoredSubscription] = []
        self._channel: Channel

    async def run(self, control: socket.socket) -> None:
        """Serve until the main process says stop, or is gone. Raises what is in `_EXPECTED`."""
        self._channel = await Channel.open(control, self._hear)
        self._store = RemoteStore(self._channel)
        working = asyncio.create_task(self._work())
        gone = asyncio.create_task(self._channel.closed.wait())
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not working.done():
            return  # the main process is gone: its end is everything's
        working.result()

    def _hear(self, message: list[Any]) -> None:
        if message[0] == "durable":
            self._store.settled(message[1], message[2])  # answers wait for it
        elif message[0] == "ping":
            self._channel.say("pong")  # past what waits: the loop runs
        else:
            self._words.put_nowait(message)

    async def _work(self) -> None:
        while True:
            match await self._words.get():
                case ["setup", number, setup]:
                    await self._open(number, setup)
                case ["rows", rows]:
                    self._rows += map(unpack, rows)
                    await asyncio.sleep(0)
                case ["begin"]:
                    await self._begin()
                case ["log", extent]:
                    self._changed(await self._followed.advance(extent))
                case ["reauthorize"]:
                    await asyncio.to_thread(self._credentials.read_changed)
                    self._reauthorize()
                case ["look"]:
                    self._sip.holding.look()
                case ["drain", reason]:
                    await self._drain(reason)
                case ["stop"]:
                    await self._close()
                    return

    # -- its life --------------------------------------------------------------------------------------------------

    async def _open(self, number: int, setup: dict[str, Any]) -> None:
        logging.getLogger().setLevel(setup["level"])
        config = self._config = Config.model_validate_json(setup["config"])
        self._listeners = [
            (ListenAddress.parse(address), _inherited(descriptor)) for address, descriptor in setup["listeners"]
        ]
        self._credentials = gatekeeping.credential_files(config)
        await asyncio.to_thread(self._credentials.read)
        self._followed = await FollowedTable.open(StateFolder(Path(setup["state"])).log, setup["log"])
        self._reports = Reports(lambda report: self._channel.say("report", report), is_single=_is_single)
        owners = Owners(number, config.workers, config.trusted_proxies)
        offset = setup["clock"]
        self._sip = sip = Notifying(
            config, self._credentials, self._followed.table, setup["secret"], owners, self._store,
            connections=derived.room(config).sip, certificates=derived.certificates(config),
            on_event=self._reports.sip_event, on_guess=self._reports.sip_event,
            on_refused=self._reports.connection_refused,
            # The server's clock, which was set when it started: a wall clock that is set is its business.
            wall=lambda: offset + time.monotonic(), life=setup["life"],
        )  # fmt: skip
        self._store.find = sip.notifier.find
        sip.holding.on_open.append(self._opened)
        self._holding = asyncio.create_task(sip.holding.run())
        mailboxes = {other: _inherited(descriptor) for other, descriptor in setup["mailboxes"]}
        self._post = Post(owners, _inherited(setup["inbox"]), mailboxes, sip.endpoint)
        sip.endpoint.colleagues = self._post

    async def _begin(self) -> None:
        """Everything is told: take up the subscriptions, and serve."""
        rows, self._rows = self._rows, []
        sip = self._sip
        sip.notifier.restore(rows, now=sip.endpoint.now())
        first = dict(reversed(self._listeners))
        await sip.endpoint.listen(first.items())
        sip.endpoint.stand_in(one for one in self._listeners if one[1] is not first[one[0]])
        self._post.start()
        self._reauthorize()  # the settings may have changed since the rows were written
        self._channel.say("ready")

    async def _close(self) -> None:
        self._holding.cancel()
        self._post.close()
        await self._sip.endpoint.close()
        self._reports.flush()
        self._channel.close()
        await self._channel.closed.wait()

    # -- what it is told -------------------------------------------------------------------------------------------

    def _changed(self, keys: list[ProfileKey]) -> None:
        package = self._sip.package
        for key in keys:
            if key not in self._followed.table:
                package.forget_rendered(key)
        if keys:
            self._sip.endpoint.state_changed(package.affected(keys, self._sip.notifier.resources()))

    def _opened(self, keys: list[ProfileKey]) -> None:
        self._sip.endpoint.state_changed([str(key) for key in keys])

    def _reauthorize(self) -> None:
        self._sip.notifier.reauthorize(now=self._sip.endpoint.now())
        self._sip.endpoint.pump()

    async def _drain(self, reason: str) -> None:
        sip = self._sip
        sip.notifier.drain(reason, now=sip.endpoint.now())
        sip.endpoint.pump()
        for _ in range(int(DRAIN_SECONDS / DRAIN_STEP)):
            if sip.notifier.is_quiet:
                break
            await asyncio.sleep(DRAIN_STEP)
        self._channel.say("quiet")


def _inherited(descriptor: int) -> socket.socket:
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)  # it is already, but the object would not know, and make each duplicate block
    return sock


def _is_single(event: SubscriptionEvent) -> bool:
    return is_worth_a_line(event) or logging.getLogger().isEnabledFor(logging.DEBUG)


def main() -> None:
    """Serve whoever is at the other end of the socket whose number is the first argument."""
    end_with_the_server()  # a worker without its server answers nobody
    for number in (signal.SIGINT, signal.SIGTERM):  # they reach the whole group; the main process decides
        signal.signal(number, signal.SIG_IGN)
    begin_log(logging.INFO)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # as in `serve`
    logging.getLogger("gitops_profile.server.credentials").setLevel(logging.ERROR)  # said once, by the main process
    gc.set_threshold(50_000, 20, 50)  # as in `serve`
    try:
        asyncio.run(Worker().run(_inherited(int(sys.argv[1]))))
    except _EXPECTED as error:
        logger.error("a worker cannot serve: %s", " ".join(str(error).split()))
        sys.exit(1)


if __name__ == "__main__":
    main()
