"""What of a subscription outlives the process."""

from typing import NamedTuple


class StoredSubscription(NamedTuple):
    """One subscription with its dialog, as it is kept: enough to go on after a restart (RFC 3261 §12.2.2).

    A tuple, for two are made for each NOTIFY: 1 µs, where a frozen dataclass of 31 fields took 5.
    """

    id: str
    resource: str
    """`str(ProfileKey)`."""
    call_id: str
    local_tag: str
    remote_tag: str
    local_uri: str
    remote_uri: str
    local_cseq: int
    remote_cseq: int
    remote_target: str
    route_set: tuple[str, ...]
    secure: bool
    event: str
    """The Event header's value as it is echoed (package;id=…)."""
    accept: str | None
    contact_flow: str
    """The Flow as text: transport|local|remote."""
    expires_at: float
    """Unix seconds."""
    acknowledged_etag: str | None
    suppress: str | None
    """The Suppress-If-Match in force (RFC 5839)."""
    delivery: str
    """One of "held", "notified", "acknowledged", "faulted"."""
    delivered_at: float | None
    """Unix seconds of the 2xx that was written last; one that only repeats what is here waits for the next change."""
    user_agent: str | None
    vendor: str | None
    model: str | None
    version: str | None
    identity: str | None
    """`user@domain` of whoever subscribed, as authenticated; None when nobody had to say."""
    schemes: str | None
    """URI schemes that the device can fetch (RFC 6080 §6.8)."""
    follows: bool
    """Whether a NOTIFY may go elsewhere than to where the SUBSCRIBE came from."""
    told_etag: str | None
    """Entity-tag of the version that the facts below are of: the last one that the phone was, or was to be, told."""
    told_at: float | None
    """Unix seconds of the first NOTIFY with it; None when none could leave."""
    got_at: float | None
    """Unix seconds of its first 2xx; None without one."""
    failed_at: float | None
    """Unix seconds of its newest failure; None once it is acknowledged."""


class StoredDelivery(NamedTuple):
    """What of a row each NOTIFY changes, twice: stored apart, it is written in a third of the time."""

    id: str
    local_cseq: int
    acknowledged_etag: str | None
    suppress: str | None
    delivery: str
    delivered_at: float | None
    told_etag: str | None
    told_at: float | None
    got_at: float | None
    failed_at: float | None
