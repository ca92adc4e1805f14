"""Which worker a message belongs to, read out of the message itself (pure).

A dialog and a NOTIFY have their worker in what we named them: the first character of our tag, and of our branch behind
its cookie, is a base-36 digit whose remainder says which. So whoever gets a message knows its owner, whatever address
it came from, and with another number of workers each old tag still has exactly one owner.

Each worker has two shares of everything, and the first one, which also writes for all, has one.
"""

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache
from zlib import crc32

from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import Request, Response, SIPSyntaxError, Via, parse_message

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MAX_WORKERS = 16
"""Their shares have to be told apart by one digit."""
MAX_SOURCES = 10_000
"""Addresses whose kind is remembered."""
_COOKIE = "z9hG4bK"

# What nearly everybody writes, and nothing else: any other spelling, order, folding or quoting is parsed with care.
# A refresh takes 1.5 µs so, a SUBSCRIBE through a proxy 2.6, a response 0.4; with the parser 30 and 11
# (tests/bench/bench_workers.py).
_RESPONSE = re.compile(
    rb"SIP/2\.0 [1-6][0-9][0-9](?: [^\r\n]*)?\r\n"
    rb"Via: SIP/2\.0/[A-Z]+ [A-Za-z0-9_.\-]+(?::[1-9][0-9]{0,3})?[0-9]?;branch=z9hG4bK([0-9A-Za-z])"
)
_TO = re.compile(
    rb"\r\nTo: (?:\"[^\"\\\r\n]*\" *|[^\"<>,;:\r\n]*)<[^<>\s\x00-\x1f\x7f]+>"
    rb"(?:;tag=([A-Za-z0-9\-.!%*_+`'~])[A-Za-z0-9\-.!%*_+`'~]*)?\r\n(?![ \t])"
)
_CALL_ID = re.compile(rb"\r\nCall-ID: ([\x21-\x7e]+)\r\n(?![ \t])")
_OWN_BRANCH = b";branch=" + _COOKIE.encode()


class Owners:
    """The workers of one server, as worker `me` of `count` sees them."""

    def __init__(
        self, me: int = 0, count: int = 1, unlimited: Collection[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()
    ) -> None:
        """`unlimited` are the networks of edge proxies: one address there, and on loopback, is many phones."""
        self.me, self.count = me, count
        self._slots = 2 * count - 1
        self._mine = [slot for slot in range(self._slots) if owner_of_slot(slot) == me]
        self._unlimited = tuple(unlimited)
        values = (DIGITS.find(chr(byte)) for byte in range(256))
        self._of = bytes(owner_of_slot(value % self._slots) if value >= 0 else 0 for value in values)
        self._is_shared = lru_cache(maxsize=MAX_SOURCES)(self._is_shared_source)

    def mark(self, token: str) -> str:
        """A random hexadecimal token as one of `me`; of a single worker it is the same token."""
        value = int(token[0], 16)
        slot = self._mine[int(token[1], 16) % len(self._mine)]
        return DIGITS[value - value % self._slots + slot] + token[1:]

    def of_token(self, token: str) -> int:
        """The worker that a tag, or a branch without its cookie, names; 0 for what is nobody's."""
        first = ord(token[0]) if token else 0
        return self._of[first] if first < 256 else 0

    def of_branch(self, branch: str) -> int:
        """The same for a whole branch."""
        return self.of_token(branch.removeprefix(_COOKIE)) if branch.startswith(_COOKIE) else 0

    def of_subscription(self, id_: str) -> int:
        """Whose a subscription is: its id ends with our tag."""
        return self.of_token(id_.rpartition(";")[2])

    def of_own_request(self, data: bytes) -> int:
        """Who made a request of ours, of which the end may be lost."""
        start = data.find(_OWN_BRANCH, data.find(b"\r\nVia: ")) + len(_OWN_BRANCH)
        return self._of[data[start]] if len(_OWN_BRANCH) <= start < len(data) else 0

    def of_message(self, data: bytes, flow: Flow) -> int:
        """Whose a message is that came by `flow`.

        One outside of any dialog is whoever's that got it, unless it came from where one address is many phones: then
        the Call-ID decides, so that repetitions meet and the load spreads. What cannot be parsed is `me`'s, to refuse.
        """
        response = _RESPONSE.match(data)
        if response is not None:
            return self._of[response[1][0]]
        if data[:4].upper() == b"SIP/" or data[:1] in b"\r\n":
            return self._with_care(data, flow)
        to = _field(_TO, data, b"\r\nTo: ")
        if to is None:
            return self._with_care(data, flow)
        if to[1] is not None and not data.startswith((b"ACK ", b"INVITE ")):
            return self._of[to[1][0]]
        if not self._is_shared(flow.remote[0]):
            return self.me
        call_id = _field(_CALL_ID, data, b"\r\nCall-ID: ")
        return self._with_care(data, flow) if call_id is None else owner_of_slot(crc32(call_id[1]) % self._slots)

    def _with_care(self, data: bytes, flow: Flow) -> int:
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                hops = message.headers.items("via")
                return self.of_branch(Via.parse(hops[0]).branch or "") if hops else 0
            message.check()
        except SIPSyntaxError:
            return self.me
        return self.of_request(message, flow)

    def of_request(self, request: Request, flow: Flow) -> int:
        """The same, once it is parsed and checked."""
        tag = request.to_tag
        # Our answer to an INVITE has a tag that names no worker, and its ACK must find the INVITE, which may have had
        # another's tag: it is in no dialog of ours.
        if tag is not None and request.method not in ("ACK", "INVITE"):
            return self.of_token(tag)
        if not self._is_shared(flow.remote[0]):
            return self.me
        return owner_of_slot(crc32(request.call_id.encode("utf-8", "surrogateescape")) % self._slots)

    def _is_shared_source(self, source: str) -> bool:
        address = ipaddress.ip_address(source.partition("%")[0])
        return address.is_loopback or any(address in network for network in self._unlimited)


def owner_of_slot(slot: int) -> int:
    """Who has a share: worker 0 the first one, the others two each.

    Worker 0 also writes for all: with equal shares it had 1.7 times the CPU time of the other one of two, so 1.1 times.
    """
    return (slot + 1) // 2


def _field(pattern: re.Pattern[bytes], data: bytes, begin: bytes) -> re.Match[bytes] | None:
    """The header field that begins so, when it is certain that it is one and not a line of the body."""
    at = data.find(begin)
    if at < 0 or data.find(b"\n\r\n", 0, at + 2) >= 0 or data.find(b"\n\n", 0, at) >= 0:
        return None
    return pattern.match(data, at)
