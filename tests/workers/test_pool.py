"""The workers as the main process has them, with processes that are none."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gitops_profile.workers import Pool, mailbox, pool

SILENT = "import time; time.sleep(60)"
"""A worker that never says a word."""


class Nowhere:
    """A store that nobody writes to."""

    def submit(self, saves: Sequence[Any], deletes: Sequence[str], done: Any) -> None:
        raise AssertionError("nobody writes")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "module_command", lambda module, *arguments: [sys.executable, "-S", "-c", SILENT])
    for name, value in (("LOOK_EVERY", 0.01), ("UNHEARD_STARTING", 10), ("STOP_SECONDS", 0.1), ("RETRY_FIRST", 0.01)):
        monkeypatch.setattr(pool, name, value)


@asynccontextmanager
async def silent_worker(restarted: asyncio.Event) -> AsyncIterator[Pool]:
    mailboxes = [mailbox(), mailbox()]
    workers = Pool(
        "none", [[], []], mailboxes, Nowhere(), dict, stand_in=lambda bound: lambda: None,
        on_report=lambda said: None, on_quiet=lambda number: None, on_resource=lambda resource: None,
        on_restart=restarted.set,
    )  # fmt: skip
    workers.take_up({})
    running = asyncio.create_task(workers.run())
    try:
        async with asyncio.timeout(20):
            yield workers
    finally:
        running.cancel()
        await workers.close()
        for pair in mailboxes:
            for sock in pair:
                sock.close()


async def test_a_worker_that_hangs_before_it_serves_is_ended_and_started_anew(caplog: pytest.LogCaptureFixture) -> None:
    restarted = asyncio.Event()
    async with silent_worker(restarted):
        await restarted.wait()
    assert "worker 1 does not answer any more, it is ended" in caplog.text


async def test_nobody_asks_a_worker_any_more_when_the_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end may take long: the worker would be said to hang, and what had ended be ended again, with a traceback."""
    monkeypatch.setattr(pool, "UNHEARD_STARTING", 10_000)
    async with silent_worker(asyncio.Event()) as workers:
        for _ in range(500):
            await asyncio.sleep(0.02)
            if workers.facts()[0]["process"] is not None:
                break
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == {asyncio.current_task()}
