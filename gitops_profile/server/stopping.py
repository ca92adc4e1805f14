"""A start that can be stopped."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)


async def is_done_before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether `work` comes to its end before somebody says stop, when it is cancelled: git or a disk may hang."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        is_done = working.done()
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.wait((working,))  # whoever closes what it has opened comes behind it
    if working.cancelled():
        logger.info("stopped before it was ready")
    else:
        working.result()
    return is_done
