"""Phones for the benchmarks that last: many dialogs on one UDP socket, in asyncio.

A phone here does what RFC 6665 asks of a subscriber and no more: it retransmits, follows CSeq, answers each NOTIFY at
once, and remembers which document it holds. `tests/bench/peer` has the fast generator; this one knows who holds what.
"""

import asyncio
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

RECEIVE_BUFFER = 8 << 20
T1, T2, TIMEOUT = 0.5, 4.0, 32.0
"""Seconds; RFC 3261 §17.1.2.2, timers E and F."""

_CALL_ID = re.compile(rb"\r\nCall-ID: *([^\r]+)", re.IGNORECASE)
_CSEQ = re.compile(rb"\r\nCSeq: *(\d+)", re.IGNORECASE)
_TO_TAG = re.compile(rb"\r\nTo:[^\r]*;tag=([^;\r]+)", re.IGNORECASE)
_FROM_TAG = re.compile(rb"\r\nFrom:[^\r]*;tag=([^;\r]+)", re.IGNORECASE)
_CONTACT = re.compile(rb"\r\nContact: *<([^>\r]+)>", re.IGNORECASE)
_ENDED = re.compile(rb"\r\nSubscription-State: *terminated", re.IGNORECASE)
_ECHOED = re.compile(rb"\r\n((?:Via|From|To|Call-ID|CSeq):[^\r]*)", re.IGNORECASE)


class Unanswered(Exception):
    """A SUBSCRIBE, or its NOTIFY, did not come within 32 seconds."""


@dataclass(slots=True)
class Phone:
    """One dialog, or none yet, and the document that came last."""

    number: int
    user: str
    call_id: bytes = b""
    tag: bytes = b""
    remote_tag: bytes = b""
    target: bytes = b""
    cseq: int = 0
    notified: int = -1
    """CSeq of the newest NOTIFY; -1 before the first."""
    document: int = 0
    """hash() of the body that came last; 0 without one."""
    documents: int = 0
    """NOTIFYs, without those that were sent again."""
    repeated: int = 0
    ended: bool = False
    """The server has ended the subscription."""
    silent: bool = False
    """It is switched off: nothing is answered."""
    status: int = 0
    """Final status of the SUBSCRIBE that is on its way; 0 until it has come."""
    told: bool = False
    """Its NOTIFY has come."""
    answered_at: float = 0.0
    told_at: float = 0.0
    waiting: asyncio.Future[None] | None = field(default=None, repr=False)


class Handsets(asyncio.DatagramProtocol):
    """All phones of one address."""

    def __init__(self, server: tuple[str, int], domain: str) -> None:
        self._server, self._domain = server, domain
        self._run = secrets.token_hex(4)
        self._by_call: dict[bytes, Phone] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.me = ""
        self.retransmissions = 0
        self.strange = 0
        """Messages that belong to no phone."""
        self.heard: Callable[[Phone], None] = lambda phone: None
        """Called when a NOTIFY has come that was not sent again."""

    @classmethod
    async def open(cls, server: tuple[str, int], domain: str) -> Self:
        """Bind a socket for them."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind(("127.0.0.1", 0))
        handsets = cls(server, domain)
        handsets.me = f"127.0.0.1:{sock.getsockname()[1]}"
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: handsets, sock=sock)
        return handsets

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def error_received(self, exc: Exception) -> None:
        """The server is down for a moment: the SUBSCRIBE is sent again anyway."""

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def forget(self, phone: Phone) -> None:
        """The phone has lost its dialog, as after a power cut."""
        self._by_call.pop(phone.call_id, None)
        phone.call_id = phone.remote_tag = phone.target = b""
        phone.notified, phone.ended = -1, False

    async def subscribe(self, phone: Phone, expires: int = 3600) -> int:
        """Subscribe, or refresh the dialog it has; the final status, once the NOTIFY of a 2xx has come too.

        Raises Unanswered.
        """
        if not phone.call_id:
            phone.call_id = f"{secrets.token_hex(8)}-{phone.number}".encode()
            phone.tag = f"{phone.number:x}{self._run}".encode()
            self._by_call[phone.call_id] = phone
        phone.cseq += 1
        phone.status, phone.told = 0, False
        request = self._request(phone, expires)
        phone.waiting = done = asyncio.get_running_loop().create_future()
        began, wait = time.monotonic(), T1
        self.send(request)
        while time.monotonic() - began < TIMEOUT:
            answered, _ = await asyncio.wait((done,), timeout=wait)
            if answered:
                return phone.status
            if not phone.status:
                self.retransmissions += 1
                self.send(request)
            wait = min(2 * wait, T2)
        raise Unanswered(f"phone {phone.number} ({phone.user}): status {phone.status}, NOTIFY came: {phone.told}")

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(data, self._server)

    def _request(self, phone: Phone, expires: int) -> bytes:
        aor = f"sip:{phone.user}@{self._domain}"
        target = phone.target.decode() or aor
        to_tag = f";tag={phone.remote_tag.decode()}" if phone.remote_tag else ""
        branch = f"z9hG4bK{self._run}{phone.number:x}x{phone.cseq}x{phone.call_id[:8].decode()}"
        return (
            f"SUBSCRIBE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {self.me};branch={branch};rport\r\nMax-Forwards: 70\r\n"
            f"From: <{aor}>;tag={phone.tag.decode()}\r\nTo: <{aor}>{to_tag}\r\nCall-ID: {phone.call_id.decode()}\r\n"
            f"CSeq: {phone.cseq} SUBSCRIBE\r\nContact: <sip:{phone.user}@{self.me}>\r\nEvent: ua-profile\r\n"
            f"Expires: {expires}\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    def datagram_received(self, data: bytes, addr: object) -> None:
        call = _CALL_ID.search(data)
        phone = self._by_call.get(call[1].strip()) if call else None
        if phone is None:
            self.strange += 1
        elif phone.silent:
            return
        elif data.startswith(b"SIP/2.0 "):
            self._response(phone, data)
        elif data.startswith(b"NOTIFY "):
            self._notify(phone, data)

    def _response(self, phone: Phone, data: bytes) -> None:
        status, cseq = int(data[8:11]), _CSEQ.search(data)
        if status < 200 or phone.status or cseq is None or int(cseq[1]) != phone.cseq:
            return
        phone.status, phone.answered_at = status, time.perf_counter()
        if status < 300 and (tag := _TO_TAG.search(data)):
            phone.remote_tag = tag[1]
            if contact := _CONTACT.search(data):
                phone.target = contact[1]
        self._settle(phone)

    def _notify(self, phone: Phone, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        cseq, tag = _CSEQ.search(head), _FROM_TAG.search(head)
        assert cseq is not None and tag is not None, head
        lines = b"\r\n".join(line[1] for line in _ECHOED.finditer(head))
        self.send(b"SIP/2.0 200 OK\r\n" + lines + b"\r\nContent-Length: 0\r\n\r\n")
        if int(cseq[1]) <= phone.notified:
            phone.repeated += 1
            return
        phone.notified, phone.remote_tag = int(cseq[1]), tag[1]
        phone.told, phone.told_at = True, time.perf_counter()
        phone.documents += 1
        if body:
            phone.document = hash(body)
        phone.ended = phone.ended or bool(_ENDED.search(head))
        self.heard(phone)  # while it is still to be seen whether the phone has asked for it
        self._settle(phone)

    @staticmethod
    def _settle(phone: Phone) -> None:
        if phone.status and (phone.told or phone.status >= 300) and phone.waiting and not phone.waiting.done():
            phone.waiting.set_result(None)


async def subscribe_all(handsets: Handsets, phones: Iterable[Phone], window: int = 64, expires: int = 3600) -> None:
    """Subscribe many, a few at a time. Raises Unanswered, or RuntimeError for a refusal."""
    waiting = iter(phones)

    async def worker() -> None:
        for phone in waiting:
            status = await handsets.subscribe(phone, expires)
            if status != 200:
                raise RuntimeError(f"phone {phone.number} was answered {status}")

    async with asyncio.TaskGroup() as group:
        for _ in range(window):
            group.create_task(worker())
