"""What a phone is given."""

from dataclasses import dataclass, field

from .etag import entity_tag
from .key import ProfileKey


@dataclass(frozen=True, slots=True)
class ProfileDocument:
    """One profile document, as it is delivered."""

    key: ProfileKey
    content_type: str
    body: bytes
    path: str
    """Where it comes from, inside the profiles folder."""
    sensitive: bool = False
    """May only travel protected (RFC 6080 §5.2)."""
    effective_by: int | None = None
    """Seconds, for the Event header of a NOTIFY (RFC 6080 §6.2.3)."""
    etag: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", entity_tag(self.content_type, self.body, self.effective_by))
