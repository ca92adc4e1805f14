"""The demo's desk phones: two makes, played on the loopback interface."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from gitops_profile.phone import MAKES, Files, Handset, Hardware, Step, new_token, open_socket

LOOPBACK = "lo"
WAIT = 20.0


class DeskPhone:
    """One phone that lives in the background."""

    def __init__(self, vendor: str, mac: str, address: str) -> None:
        self.vendor, self.mac, self.address = vendor, mac, address
        self.steps: asyncio.Queue[Step] = asyncio.Queue()

    async def live(self) -> None:
        """Boot, fetch, and wait for a check-sync, for ever. Raises PhoneError."""
        make = MAKES[self.vendor]
        with closing(open_socket(self.address)) as sock:
            handset = Handset(
                make, self.mac, sock.getsockname()[:2], new_token, secret=secrets.token_bytes(32), clock=time.time
            )
            async for step in Hardware(handset, Files(make, self.mac, address=self.address), sock).steps():
                self.steps.put_nowait(step)

    async def until(self, kind: str) -> list[Step]:
        """What happens until something of this kind; raises TimeoutError."""
        seen: list[Step] = []
        async with asyncio.timeout(WAIT):
            while not seen or seen[-1].kind != kind:
                seen.append(await self.steps.get())
        return seen


@asynccontextmanager
async def desk_phones(*phones: DeskPhone) -> AsyncIterator[None]:
    """Let them live, until the end."""
    tasks = [asyncio.get_running_loop().create_task(phone.live()) for phone in phones]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
