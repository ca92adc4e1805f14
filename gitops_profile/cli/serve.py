"""`serve`: run everything."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from gitops_profile.config import Config
from gitops_profile.log_lines import begin_log
from gitops_profile.state import StateFolder

from .options import ConfigFile, Path_, Ref, Repo, State, configured
from .output import fail, say

if TYPE_CHECKING:
    from gitops_profile.eventlog import Ahead
    from gitops_profile.server import Server

THREAD_SECONDS = 2.0
"""For threads to come to their end when everything else has."""


def serve(
    repo: Repo = None,
    ref: Ref = None,
    path: Path_ = None,
    state: State = None,
    listen: Annotated[
        list[str] | None, typer.Option("--listen", help="udp:, tcp:, tls:, ws: or wss:ADDRESS:PORT; may be repeated")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="processes that speak SIP, one for each core")
    ] = None,
    http: Annotated[str | None, typer.Option("--http", help="ADDRESS:PORT of /healthz and /metrics")] = None,
    pnp: Annotated[
        list[str] | None, typer.Option("--pnp", help="interface for SIP plug and play, such as eth0; may be repeated")
    ] = None,
    poll: Annotated[str | None, typer.Option("--poll", help="longest time until a moved ref is noticed")] = None,
    fetch: Annotated[str | None, typer.Option("--fetch", help="time between fetches from a remote")] = None,
    config: ConfigFile = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="log every message and subscription")] = False,
) -> None:
    """Serve the profiles of a git repository to SIP phones.

    Without options: the repository around the current folder, its branch main, its folder profiles, on 127.0.0.1:5060.
    Prints one line that begins with "ready" once phones can subscribe. SIGTERM or Ctrl-C stops it and keeps the
    subscriptions.
    """
    begin_log(logging.DEBUG if verbose else logging.INFO)
    for noisy in ("watchdog", "git"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Its warnings are one line for each answer to a TLS peer that has just gone: a flood, at the peer's choice.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    settings = configured(
        config, repository__url=repo, repository__ref=ref, repository__path=path, repository__poll=poll,
        repository__fetch=fetch,
        state=str(state) if state else None, listen=listen or None, workers=workers,
        http__listen=http, pnp__interfaces=pnp or None,
    )  # fmt: skip
    gc.disable()  # of what is imported nothing is garbage, and looking for it took 10 % of the time until `ready`
    # Transactions and subscriptions live long: looking for cycles among them again and again cost 17 % of the CPU of
    # a SUBSCRIBE (292 → 243 µs, tests/bench/bench_subscribe.py).
    gc.set_threshold(50_000, 20, 50)
    from gitops_profile.eventlog import Ahead

    snapshot = Ahead(StateFolder(settings.state).log)
    from gitops_profile.server import CannotServe  # most of the time until `ready`; meanwhile the snapshot is read

    try:
        with asyncio.Runner(loop_factory=loop_factory(settings.loop)) as runner:
            runner.run(_run(settings, snapshot))
    except CannotServe as error:
        fail(str(error))


def loop_factory(wanted: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Makes the event loop that the settings want; None: asyncio's own. uvloop is not there on every system.

    Raises CannotServe when `uvloop` is wanted and not installed.
    """
    if wanted == "asyncio":
        return None
    from gitops_profile.server import CannotServe

    try:
        import uvloop
    except ImportError:
        raise CannotServe("loop: uvloop is not installed: pip install uvloop, or leave the setting away") from None
    # 36 µs of CPU for a document over HTTP instead of 40 (tests/bench/bench_http.py); nothing for SIP over UDP.
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _run(config: Config, snapshot: Ahead) -> None:
    from gitops_profile.server import Server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Server(config, progress=_Progress().show, snapshot=snapshot, on_settled=_settled).run(_ready, stop)
    _wait_for_no_thread()


def _wait_for_no_thread() -> None:
    """End soon, whatever a thread still waits for: git, or a disk, may hang for ever. All state is written and closed.

    asyncio and the interpreter wait for each thread.
    """
    ending = threading.Timer(THREAD_SECONDS, os._exit, (0,))
    ending.daemon = True
    ending.start()


def _ready(server: Server) -> None:
    gc.freeze()  # what was loaded stays
    gc.enable()  # `serve` has put it off until here
    announce(server)


def _settled() -> None:
    # A look at all that was loaded held up the loop for 17 to 50 ms with 100 000 documents
    # (tests/bench/bench_reconcile.py): now once, at most, and never again.
    gc.collect()
    gc.freeze()


def announce(server: Server) -> None:
    """The ready line."""
    where = " ".join(server.bound)
    say(f"ready {where}" + (f" {server.http}" if server.http else ""))


class _Progress:
    """Progress of a long load, on standard error, every ten percent."""

    def __init__(self) -> None:
        self._shown = -1

    def show(self, done: int, total: int) -> None:
        if total < 5000:
            return
        tenth = 10 * done // total
        if tenth != self._shown:
            self._shown = tenth
            logging.getLogger(__name__).info("loading profiles: %d of %d", done, total)
