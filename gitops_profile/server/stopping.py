"""A start that can be stopped."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)


async def is_done_before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether `work` comes to its end before somebody says stop, when it is cancelled: git or a disk may hang."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    is_done = working.done()
    working.cancel()
    try:
        await working
    except asyncio.CancelledError:
        logger.info("stopped before it was ready")
    return is_done
