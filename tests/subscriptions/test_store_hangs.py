"""A disk that hangs: nobody is answered, and an operator is told why."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from gitops_profile.subscriptions import SubscriptionStore
from gitops_profile.subscriptions import store as module
from tests.conftest import Bound
from tests.transport.lab import eventually

from .rows import BARE, commit, submit


async def test_a_writer_that_hangs_is_said_once_and_when_it_goes_on(
    tmp_path: Path, bound: Bound, caplog: pytest.LogCaptureFixture
) -> None:
    bound(module, "LOOK_EVERY", 0.05)
    store = SubscriptionStore.open(tmp_path / "state" / "subscriptions.sqlite")
    store.start(asyncio.get_running_loop())
    try:
        await commit(store, [BARE])
        await asyncio.sleep(0.1)
        caplog.clear()  # it may have taken long to start
        await asyncio.sleep(0.2)  # with nothing to write
        assert not caplog.records and store.writer is not None
        os.kill(store.writer, signal.SIGSTOP)
        try:
            written = submit(store, deletes=[BARE.id])
            await eventually(lambda: "nothing was written for 0.05 s" in caplog.text)
            await asyncio.sleep(0.2)
        finally:
            os.kill(store.writer, signal.SIGCONT)
        await written
        await eventually(lambda: "they are written again" in caplog.text)
        assert len(caplog.records) == 2
    finally:
        store.close()
