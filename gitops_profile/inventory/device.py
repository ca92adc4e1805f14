"""One phone that was seen, and how far each of its documents has come. All times are Unix seconds."""

from dataclasses import dataclass, field, replace


@dataclass(slots=True)
class Holding:
    """One document, as one phone was told of it and fetched it."""

    key: str
    """Of the profile, as `str(ProfileKey)`."""
    etag: str | None = None
    """The version that it fetched last, or said that it has (304)."""
    fetched_at: float | None = None
    """When it did that first."""
    told_etag: str | None = None
    """The version that the newest check-sync was about."""
    told_at: float | None = None
    heard_at: float | None = None
    """When it answered that one."""
    heard_status: int | None = None
    """With what; of a phone that did not answer, None."""
    returned_at: float | None = None
    """When it was seen first after it had fetched: it is well with the version it has."""
    fault: str | None = None
    """What went wrong last, and not right since."""
    fault_at: float | None = None


@dataclass(slots=True)
class Device:
    """One phone. What it says of itself is what it said last, its model and firmware what it
    said last over HTTP, if ever."""

    device: str
    """Its MAC, else the profile it asked for, else its address."""
    address: str
    first_seen: float
    last_seen: float
    how: str
    """By what it was seen last: pnp, subscribe, get, put."""
    mac: str | None = None
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    by_agent: bool = False
    """Whether model and firmware are those of an HTTP User-Agent, by which it is given its variant."""
    serial: str | None = None
    user_agent: str | None = None
    key: str | None = None
    """Its own profile."""
    contact: str | None = None
    """A SIP URI by which it can be reached: the address that its newest SIP message came from."""
    proven: bool = False
    """Whether it has shown, at its last fetch, that it is this device."""
    holdings: dict[str, Holding] = field(default_factory=dict)

    @property
    def is_stranger(self) -> bool:
        """Whether it has no profile and was never given anything."""
        return self.key is None and not self.holdings

    @property
    def is_guest(self) -> bool:
        """Whether it has no profile, and was given what is of many phones; its MAC is what it says."""
        return self.key is None and bool(self.holdings) and self.mac is not None

    @property
    def only_subscribes(self) -> bool:
        """Whether it was never given a document by URL, and was seen last when it subscribed."""
        return self.how == "subscribe" and all(holding.etag is None for holding in self.holdings.values())

    def copy(self) -> "Device":
        """As it is now, for another thread."""
        return replace(self, holdings={key: replace(holding) for key, holding in self.holdings.items()})

    def holding(self, key: str) -> Holding:
        """What is known of it and this document."""
        found = self.holdings.get(key)
        if found is None:
            found = self.holdings[key] = Holding(key)
        return found
