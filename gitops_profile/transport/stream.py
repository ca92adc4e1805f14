"""One connection of TCP or TLS: messages out of the stream, pongs, and a clock for all that a peer may let wait."""

import asyncio
from collections import deque
from collections.abc import Collection
from typing import Protocol, cast

from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import MessageReader, SIPSyntaxError

from .address import peer_of
from .limits import MUCH_UNREAD, Admission, Reason
from .tls import certificate_names, certifies
from .turns import SLICE, Turns
from .unanswered import KEPT, Unanswered


class ConnectionOwner(Protocol):
    """Whoever keeps the connections."""

    admission: Admission
    turns: Turns

    def opened(self, connection: "StreamConnection") -> None:
        """The connection has its flow and may be used."""

    def closed(self, connection: "StreamConnection") -> None:
        """It is gone."""

    def lost(self, requests: list[bytes], flow: Flow) -> None:
        """It is gone, and no answer to these can come by it any more."""

    def received(self, message: bytes, flow: Flow) -> None:
        """One whole message."""

    def unframed(self, error: SIPSyntaxError, flow: Flow) -> None:
        """The stream cannot be cut into messages any more."""


class StreamConnection(asyncio.Protocol):
    """A connection in use."""

    def __init__(
        self, owner: ConnectionOwner, number: int, transport: str, must_certify: Collection[str] | None = None
    ) -> None:
        """`transport` is "tcp" or "tls".

        `must_certify` is for TLS that we open: the peer's certificate must be for one of these names or addresses.
        """
        self._owner = owner
        self._limits = owner.admission.limits
        self.number = number
        self._name = transport
        self._must_certify = must_certify
        self._reader = MessageReader(self._limits.message_bytes)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.flow: Flow | None = None
        """None until the connection is made, and for ever when it is not wanted."""
        self.certified: frozenset[str] = frozenset()
        """The names and addresses that the peer has shown to be his."""
        self._ending = False
        """Whether nothing more is read."""
        self._unheard = bytearray()
        """What came and waits for its turn; while there is much of it, nothing more is read."""
        self._unanswered = Unanswered()
        self._is_behind = False
        """Whether the peer has much to read yet."""
        self._waiting: deque[tuple[float, bytes]] = deque()
        """NOTIFYs, and since when, that are written when it has read that: a thousand behind one proxy are no flood."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's has another base
        self._transport = transport
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        certificate = transport.get_extra_info("peercert")
        if not peer or (self._must_certify is not None and not certifies(certificate, self._must_certify)):
            transport.abort()
            return
        transport.set_write_buffer_limits(high=MUCH_UNREAD)
        names = certificate_names(certificate)
        self.certified = frozenset((*names, *(self._must_certify or ())))
        self.flow = Flow(self._name, (local[0], local[1]), peer_of(peer), self.number, names)
        self._owner.opened(self)
        self._arm(self._limits.idle)

    def data_received(self, data: bytes) -> None:
        if self.flow is None or self._ending:
            return
        if not self._unheard:
            self._owner.turns.add(self._hear)
        self._unheard += data
        if len(self._unheard) > SLICE and self._transport is not None:
            self._transport.pause_reading()

    def _hear(self) -> bool:
        """Hear a slice of what came; whether there is more."""
        data = bytes(self._unheard[:SLICE])
        del self._unheard[:SLICE]
        self._take(data)
        if self._unheard:
            return True
        if self._transport is not None:
            self._transport.resume_reading()
        return False

    def _take(self, data: bytes) -> None:
        assert self.flow is not None
        try:
            messages, pings = self._reader.feed(data)
        except SIPSyntaxError as error:
            # The frame is lost: RFC 4475 §3.1.2.2-3 says to close, after what was whole is answered.
            self._ending = True
            self._unheard.clear()
            self._refuse(Reason.TOO_LARGE if error.status in (413, 513) else Reason.UNFRAMED)
            self._owner.unframed(error, self.flow)
            self._arm(self._limits.linger)
            return
        if pings:
            self.write(b"\r\n" * pings)  # RFC 5626 §5.4: the pongs
        for message in messages:
            self._owner.received(message, self.flow)
        waiting = self._reader.waiting
        if self._ending:
            return
        self._arm(self._limits.partial if waiting else self._limits.idle, keep=waiting and not messages)

    def eof_received(self) -> bool:
        self._ending = True
        self._arm(self._limits.linger)
        # A half-closed TCP peer still gets the answers that wait for the store; TLS knows no half.
        return self._name == "tcp"

    def connection_lost(self, error: Exception | None) -> None:
        self._ending = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self.flow is not None:
            self._owner.closed(self)
            if self._unanswered:
                self._owner.turns.add(self._tell_lost)
        self._owner.admission.release(self.number)

    def _tell_lost(self) -> bool:
        """Whether to be asked again: what was heard last may be an answer."""
        if self._unheard:
            return True
        assert self.flow is not None
        self._owner.lost(self._unanswered.take(asyncio.get_running_loop().time()), self.flow)
        return False

    def write(self, data: bytes) -> bool:
        """Whether the connection takes it."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        self._owner.admission.bound_unread(self)
        if transport.is_closing():
            return False
        now = asyncio.get_running_loop().time()
        if self._waiting and now - self._waiting[0][0] > KEPT:
            self.cut(Reason.UNREAD)
            return False
        self._unanswered.sent(data, now)
        if self._is_behind and len(self._waiting) < self._limits.waiting and data.startswith(b"NOTIFY "):
            self._waiting.append((now, data))
        else:
            transport.write(data)
        return True

    def pause_writing(self) -> None:
        self._is_behind = True

    def resume_writing(self) -> None:
        self._is_behind = False
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Write what waits, as far as the peer reads; what has waited too long was given up by whoever sent it."""
        now = asyncio.get_running_loop().time()
        transport = self._transport
        while self._waiting and not self._is_behind and transport is not None and not transport.is_closing():
            since, data = self._waiting.popleft()
            if now - since < KEPT:
                transport.write(data)

    @property
    def is_ending(self) -> bool:
        """Whether nothing more comes from the peer."""
        return self._ending

    def unread(self) -> int:
        """Bytes that wait for the peer."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def cut(self, reason: Reason) -> None:
        """End the connection at once, and hear nothing more of it; the peer is not reading."""
        self._ending = True
        self._unheard.clear()
        if self._transport is not None and not self._transport.is_closing():
            self._refuse(reason)
            self._transport.abort()

    def close(self) -> None:
        """Close after what is written has left."""
        if self._transport is not None and not self._transport.is_closing():  # asyncio's TLS is broken by a second one
            self._transport.close()

    def _arm(self, seconds: float, *, keep: bool = False) -> None:
        """Cut the connection after `seconds` without a whole message; `keep` does not restart a running clock."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if keep and not self._timer.cancelled() and self._timer_at <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer, self._timer_at = loop.call_later(seconds, self._expire), loop.time() + seconds

    def _expire(self) -> None:
        """The time is up; a peer that does not read what it was sent is not waited for."""
        transport = self._transport
        if transport is None:
            return
        if self.unread():
            self.cut(Reason.UNREAD)
            return
        if self._reader.waiting and not self._ending:
            self._refuse(Reason.SLOW)
        self.close()

    def _refuse(self, reason: Reason) -> None:
        assert self.flow is not None
        self._owner.admission.refuse(self.flow.remote[0], reason)
