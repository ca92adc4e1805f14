"""What holds the state of a server, opened together: most of it is reading, and one need not wait for the other."""

import asyncio
from contextlib import AsyncExitStack

from gitops_profile.eventlog import Ahead, FileEventLog
from gitops_profile.state import StateFolder
from gitops_profile.subscriptions import SubscriptionStore


async def open_kept(
    state: StateFolder, snapshot: Ahead | None, stack: AsyncExitStack
) -> tuple[SubscriptionStore, FileEventLog]:
    """The subscriptions, whose file is read whole to check it (0.08 s for 100 000), and the log; `stack` closes them.

    Raises StoreUnavailable, also when another server has the folder, LogCorrupt and LogUnavailable.
    """
    opening = asyncio.create_task(open_store(state, stack))
    try:
        log = await open_log(state, snapshot, stack)
    except BaseException:
        await opening  # whoever has the folder has the log, too, and the folder is what to tell of
        raise
    return await opening, log


async def open_store(state: StateFolder, stack: AsyncExitStack) -> SubscriptionStore:
    """The subscriptions; raises StoreUnavailable."""
    store = await asyncio.to_thread(SubscriptionStore.open, state.subscriptions)
    stack.push_async_callback(asyncio.to_thread, store.close)
    store.start(asyncio.get_running_loop())
    return store


async def open_log(state: StateFolder, snapshot: Ahead | None, stack: AsyncExitStack) -> FileEventLog:
    """The event log; raises LogCorrupt and LogUnavailable."""
    log = await FileEventLog.open(state.log, ahead=snapshot)
    stack.push_async_callback(log.close)
    return log
