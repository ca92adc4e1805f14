"""What a phone is given."""

from dataclasses import dataclass, field

from .etag import entity_tag
from .key import ProfileKey
from .notify_policy import NO_POLICY, NotifyPolicy
from .variant import Variant


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
    variants: tuple[Variant, ...] = ()
    """For the kinds of phones that get something else; the first that suits is the one."""
    aliases: tuple[ProfileKey, ...] = ()
    """Further keys under which it is found; no other document and no other alias has them."""
    notify: NotifyPolicy = NO_POLICY
    """How its phones may be told of a change."""
    etag: str = field(init=False, compare=False)
    """Of what a phone gets that no variant suits; a variant has its own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", entity_tag(self.content_type, self.body, self.effective_by))

    def for_device(self, vendor: str | None, model: str | None, version: str | None) -> "Presentation":
        """What a phone gets that says this of itself in its Event header (RFC 6080 §6.2.2)."""
        if not self.variants:
            return self
        return next((variant for variant in self.variants if variant.suits(vendor, model, version)), self)


Presentation = ProfileDocument | Variant
"""What one phone gets: content_type, body, sensitive, effective_by and the etag of just these."""
