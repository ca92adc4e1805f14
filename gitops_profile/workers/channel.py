"""The words between the main process and a worker: msgpack behind a length of four bytes, on a socket pair."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Self, cast

import msgspec

from gitops_profile.processes import Frames, framed

logger = logging.getLogger(__name__)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


class Channel(asyncio.Protocol):
    """One end. It is made by `open`."""

    def __init__(self, on_message: Callable[[list[Any]], None]) -> None:
        self._on_message = on_message
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._open = asyncio.Event()
        self.closed = asyncio.Event()
        """Set when the other end is gone."""

    @classmethod
    async def open(cls, sock: socket.socket, on_message: Callable[[list[Any]], None]) -> Self:
        """Take over a connected socket; each message is given to `on_message`, which is called in the loop."""
        sock.setblocking(False)
        _, channel = await asyncio.get_running_loop().create_connection(lambda: cls(on_message), sock=sock)
        return channel

    def say(self, *message: Any) -> None:
        """Send one message; to nobody when the other end is gone."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(framed(_encode(message)))

    async def drained(self) -> None:
        """Wait until the other end has read most of what it was sent, or is gone."""
        await self._open.wait()

    def close(self) -> None:
        """Send what was said, then close."""
        if self._transport is not None:
            self._transport.close()

    # -- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's has another base
        self._transport = transport
        self._open.set()

    def pause_writing(self) -> None:
        self._open.clear()

    def resume_writing(self) -> None:
        self._open.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._open.set()
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        for frame in self._frames.take(data):
            message = _decode(frame)
            try:
                self._on_message(message)
            except Exception:
                logger.exception("a word between workers could not be handled: %s", message[0])  # the next one may
