"""Nonces that need no memory until they are used, and the nonce counts that were seen since (RFC 7616 §3.3, §3.4, §5).

A nonce says which run of the server made it, its serial there and when, under a keyed hash over all that, the realm and
whom it was given to.
So giving one to anybody who asks costs nothing to keep. Only a nonce that came back with a right answer has a row here:
the highest nonce count and which of those below it were seen, for UDP may reorder. The rows are bounded, and each
serial that lost its row, and all before it, count as too old from then on: nothing forgotten can be replayed.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections import OrderedDict
from typing import NamedTuple

RUN_BYTES = 8
_BODY = struct.Struct(f">{RUN_BYTES}sQQ")  # run, serial, microseconds
_MAC_BYTES = 12  # 96 bits: a forged one is not found by asking a server
_TEXT_LENGTH = (_BODY.size + _MAC_BYTES) // 3 * 4  # divisible by three, so there is no padding
WINDOW = 64
"""How far below the highest nonce count another one may come late."""
_ALL_SEEN = (1 << WINDOW) - 1


class Nonce(NamedTuple):
    """One of ours, read back."""

    run: bytes
    serial: int
    issued: float


class _Row(NamedTuple):
    highest: int
    seen: int
    """Bit n: `highest - n` has been used."""
    issued: float


class Nonces:
    """Makes nonces, knows its own, and counts their use."""

    def __init__(self, secret: bytes, run: bytes, life: float, capacity: int) -> None:
        self._secret = secret
        self._run = run
        self._life = life
        self._capacity = capacity
        self._last_serial = 0
        self._used: OrderedDict[int, _Row] = OrderedDict()
        self._forgotten = 0
        """The highest serial whose row is gone."""

    def __len__(self) -> int:
        return len(self._used)

    def mint(self, realm: str, now: float, source: str = "") -> str:
        """A new one for `realm`, and for nobody but `source`."""
        self._last_serial += 1
        body = _BODY.pack(self._run, self._last_serial, max(0, int(now * 1e6)))
        return urlsafe_b64encode(body + self._mac(body, realm, source)).decode("ascii")

    def read(self, text: str, realm: str, source: str = "") -> Nonce | None:
        """None for one that we did not make for `realm` and `source`."""
        if len(text) != _TEXT_LENGTH or not text.isascii():
            return None
        try:
            raw = urlsafe_b64decode(text)
        except Base64Error:
            return None
        body, mac = raw[: _BODY.size], raw[_BODY.size :]
        if not hmac.compare_digest(mac, self._mac(body, realm, source)):
            return None
        run, serial, microseconds = _BODY.unpack(body)
        return Nonce(run, serial, microseconds / 1e6)

    def is_stale(self, nonce: Nonce, now: float) -> bool:
        """Too old, of another run, whose counts nobody remembers, or forgotten.

        A clock that was set back makes a nonce of the future: good as long as it would be good in the past.
        """
        if nonce.run != self._run or abs(now - nonce.issued) > self._life:
            return True
        return nonce.serial <= self._forgotten and nonce.serial not in self._used

    def use(self, nonce: Nonce, count: int, now: float) -> bool:
        """Whether this is the first time that a nonce, which is not stale, comes with this count."""
        row = self._used.get(nonce.serial)
        if row is None:
            self._used[nonce.serial] = _Row(count, 1, nonce.issued)
            self._forget(now)
            return True
        ahead = count - row.highest
        if ahead > 0:
            seen = ((row.seen << ahead) | 1) & _ALL_SEEN if ahead < WINDOW else 1
            self._used[nonce.serial] = _Row(count, seen, row.issued)
            return True
        if -ahead >= WINDOW or row.seen >> -ahead & 1:
            return False
        self._used[nonce.serial] = row._replace(seen=row.seen | 1 << -ahead)
        return True

    def _forget(self, now: float) -> None:
        """Drop the rows above the bound and, from the oldest on, those of nonces that are too old anyway."""
        while self._used:
            serial, row = next(iter(self._used.items()))
            if len(self._used) <= self._capacity and abs(now - row.issued) <= self._life:
                return
            del self._used[serial]
            self._forgotten = max(self._forgotten, serial)

    def _mac(self, body: bytes, realm: str, source: str) -> bytes:
        meant = f"{source}\0{realm}".encode("utf-8", "surrogateescape")  # no source, which is an address, has a NUL
        return hmac.digest(self._secret, body + meant, "sha256")[:_MAC_BYTES]
