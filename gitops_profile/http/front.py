"""A connection until something comes on it that is not plain: then aiohttp has it, with what came (bench_http.py).

Nearly every phone asks for its file by one plain GET. Of those, aiohttp's task, its request and its application took
20 of 50 µs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import cast

from .client_address import counted_address
from .places import Places
from .plain_get import PlainGet, read_plain_get
from .whole_answer import CLOSE, UNHURRIED, WholeAnswer

logger = logging.getLogger(__name__)

PlainHandler = Callable[[PlainGet], None]
"""Answers a plain GET by writing to its connection."""
_BROKEN = WholeAnswer(500, [("Content-Type", "text/plain; charset=utf-8"), CLOSE], b"500\n")


class Front(asyncio.Protocol):
    """One connection, as long as only plain GETs come on it."""

    def __init__(
        self,
        routes: Sequence[tuple[str, PlainHandler]],
        successor: Callable[[Front, asyncio.Transport], asyncio.Protocol | None],
        open_: set[Front],
        places: Places,
        loop: asyncio.AbstractEventLoop,
        peer: str | None,
    ) -> None:
        """`routes` are prefixes and who answers below them; `successor(front, transport)` takes the connection over.

        It is one of `open_` as long as the connection is its own, from before it is made. `peer` is the address that
        has its place; None of a Unix socket.
        """
        self._routes = routes
        self._successor = successor
        self._open = open_
        self._loop = loop
        self._places = places
        self._has_place = True
        self._is_made = False
        self._transport: asyncio.Transport | None = None
        self._other: asyncio.Protocol | None = None
        """Who has the connection now."""
        self._remote = peer
        self.is_secure = False
        """Whether it is TLS."""
        self._cut_off: asyncio.TimerHandle | None = None
        self._then: Callable[[], None] | None = None
        """What is done when the peer has read what was written to him, if he reads in time."""
        self.has_asked = False
        """Whether a request came."""
        self.waits_since = 0.0
        """When it was opened, or the newest request was answered."""
        open_.add(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        transport = cast(asyncio.Transport, transport)  # uvloop's has another base
        self._is_made = True
        self._transport = transport
        self.is_secure = transport.get_extra_info("sslcontext") is not None
        self.waits_since = self._loop.time()
        transport.set_write_buffer_limits(UNHURRIED)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        transport = self._transport
        if transport is None or transport.is_closing():
            if self._other is not None:
                self._other.data_received(data)
            return
        found = read_plain_get(data)
        handler = self._handler_below(found[0]) if found is not None else None
        if found is None or handler is None:
            self._hand_over(transport, data)
            return
        self.has_asked = True
        try:
            handler(PlainGet(*found, transport, self._remote, self._when_read, secure=self.is_secure))
        except Exception:
            # One request must not end the server for everybody; what it did is a bug, and says so.
            logger.exception("a request could not be handled")
            _BROKEN.write(transport)
            transport.close()
        self.waits_since = self._loop.time()

    @property
    def rests(self) -> bool:
        """Whether all that its peer has asked for has been answered and read: he keeps it for what may come."""
        transport = self._transport
        if transport is None or not self.has_asked or self._cut_off is not None or transport.is_closing():
            return False
        return transport.get_write_buffer_size() == 0

    @property
    def source(self) -> str | None:
        """Whom it counts for; None of a Unix socket."""
        return counted_address(self._remote) if self._remote is not None else None

    def make_room(self) -> None:
        """Close one that `rests`: somebody else needs its place, and has it from here on."""
        self._open.discard(self)
        self._give_place_back()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once, if it has not ended."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._open.discard(self)
        self._transport = self._then = None
        if self._cut_off is not None:
            self._cut_off.cancel()
        self._give_place_back()
        other, self._other = self._other, None
        if other is not None:
            other.connection_lost(error)

    def eof_received(self) -> bool | None:
        """See asyncio.Protocol."""
        return self._other.eof_received() if self._other is not None else None

    def not_made(self) -> None:
        """It is made, or never will be: nobody else says so when a TLS handshake has failed."""
        if not self._is_made:
            self._open.discard(self)
            self._give_place_back()

    def pause_writing(self) -> None:
        """The peer does not read: he is heard no more until he does."""
        if self._other is not None:
            self._other.pause_writing()
        elif self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """He reads again."""
        if self._other is not None:
            self._other.resume_writing()
            return
        then, self._then = self._then, None
        if self._cut_off is not None:
            self._cut_off.cancel()
            self._cut_off = None
        if self._transport is not None:
            self.waits_since = self._loop.time()
            self._transport.resume_reading()
            if then is not None:
                then()

    def end_if_late(self, now: float, head_seconds: float, keepalive_seconds: float) -> None:
        """Close the connection of one who keeps it for nothing."""
        if self._transport is None or self._cut_off is not None:
            return
        if self._transport.is_closing():
            self._transport.abort()  # it was closed the last time, and he still has not read what there was for him
        elif not self.has_asked and now - self.waits_since >= head_seconds:
            self._transport.abort()
        elif self.has_asked and now - self.waits_since >= keepalive_seconds:
            self._transport.close()

    def close(self) -> None:
        """Send what is written, and close."""
        if self._transport is not None and not self._transport.is_closing():  # asyncio's TLS is broken by a second one
            self._transport.close()

    def _when_read(self, then: Callable[[], None], seconds: float) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return  # he has gone
        if transport.get_write_buffer_size() <= UNHURRIED:
            then()
            return
        self._then = then
        self._cut_off = self._loop.call_later(seconds, transport.abort)

    def _handler_below(self, path: str) -> PlainHandler | None:
        for prefix, handler in self._routes:
            if path.startswith(prefix):
                return handler
        return None

    def _hand_over(self, transport: asyncio.Transport, data: bytes) -> None:
        """For good: what else comes, goes on to the other. Its place stays with us, who hear when it is lost."""
        self._open.discard(self)
        self._transport = None
        self._other = self._successor(self, transport)
        if self._other is None:
            transport.abort()
            return
        self._other.connection_made(transport)
        self._other.data_received(data)

    def _give_place_back(self) -> None:
        if self._has_place:
            self._has_place = False
            self._places.give_back(self._remote)
