"""Which event loop a benchmark runs on: BENCH_LOOP=uvloop, or asyncio's own."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

from gitops_profile.cli.serve import loop_factory

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`."""
    with asyncio.Runner(loop_factory=loop_factory(os.environ.get("BENCH_LOOP", "asyncio"))) as runner:
        return runner.run(work)
