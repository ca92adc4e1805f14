"""The workers as the main process has them, with processes that are none."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from gitops_profile.workers import Pool, mailbox, pool

SILENT = "import time; time.sleep(60)"
"""A worker that never says a word."""


class Nowhere:
    """A store that nobody writes to."""

    def submit(self, saves: Sequence[Any], deletes: Sequence[str], done: Any) -> None:
        raise AssertionError("nobody writes")


async def test_a_worker_that_hangs_before_it_serves_is_ended_and_started_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool, "module_command", lambda module, *arguments: [sys.executable, "-S", "-c", SILENT])
    for name, value in (("LOOK_EVERY", 0.01), ("UNHEARD_STARTING", 10), ("STOP_SECONDS", 0.1), ("RETRY_FIRST", 0.01)):
        monkeypatch.setattr(pool, name, value)
    mailboxes = [mailbox(), mailbox()]
    restarted = asyncio.Event()
    workers = Pool(
        "none", [[], []], mailboxes, Nowhere(), dict, stand_in=lambda bound: lambda: None,
        on_report=lambda said: None, on_quiet=lambda number: None, on_resource=lambda resource: None,
        on_restart=restarted.set,
    )  # fmt: skip
    workers.take_up({})
    running = asyncio.create_task(workers.run())
    try:
        async with asyncio.timeout(20):
            await restarted.wait()
    finally:
        running.cancel()
        await workers.close()
        for pair in mailboxes:
            for sock in pair:
                sock.close()
    assert "worker 1 does not answer any more, it is ended" in caplog.text
