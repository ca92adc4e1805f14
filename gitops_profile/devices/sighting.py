"""That a phone was seen: observed, never decided from. Kept in the inventory, never in git."""

from enum import StrEnum
from typing import NamedTuple


class How(StrEnum):
    """By what a phone showed itself."""

    PNP = "pnp"
    SUBSCRIBE = "subscribe"
    GET = "get"
    PUT = "put"
    PUSH = "push"
    """It answered a check-sync."""


class Sighting(NamedTuple):
    """One contact. What a phone says of itself is its claim."""

    # A named tuple is made in 0.7 µs, a frozen dataclass of so many fields in 1.9 (bench_http.py).

    how: How
    at: float
    """Unix seconds."""
    address: str
    """The IP address it came from."""
    mac: str | None = None
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    user_agent: str | None = None
    key: str | None = None
    """The profile that it asked for, as `str(ProfileKey)`."""
    contact: str | None = None
    """The SIP URI by which it can be reached; only one that names the address that its message came from."""
    etag: str | None = None
    """Of an HTTP answer: the version it was given, or has."""
    status: int | None = None
    """Of an HTTP answer."""
    proven: bool = False
    """Whether it has shown that it is this device."""

    @property
    def device(self) -> str:
        """What the device is called in the inventory: its MAC, else the profile, else the address."""
        return self.mac or self.key or self.address
