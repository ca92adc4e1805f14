"""What a phone is given."""

from typing import Any, Self

import msgspec
from msgspec.structs import asdict, force_setattr

from .etag import entity_tag
from .key import ProfileKey
from .notify_policy import NO_POLICY, NotifyPolicy, shared_policy
from .variant import Variant


class ProfileDocument(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One profile document, as it is delivered.

    A Struct and no dataclass: there may be 100 000 of them, and they go through the wire from the loader process and
    into the snapshot as they are. Making one takes 0.2 µs in place of 2.8, without its etag.
    """

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
    etag: str = ""
    """Of what a phone gets that no variant suits; a variant has its own. Made here unless it is known already."""

    def __post_init__(self) -> None:
        if not self.etag:
            force_setattr(self, "etag", entity_tag(self.content_type, self.body, self.effective_by))
        if self.notify is not NO_POLICY:
            force_setattr(self, "notify", shared_policy(self.notify))

    def but(self, **changes: Any) -> Self:
        """The same with other fields, and with the etag that it then has."""
        return type(self)(**{**asdict(self), "etag": "", **changes})

    def for_device(self, vendor: str | None, model: str | None, version: str | None) -> "Presentation":
        """What a phone gets that says this of itself in its Event header (RFC 6080 §6.2.2)."""
        if not self.variants:
            return self
        return next((variant for variant in self.variants if variant.suits(vendor, model, version)), self)


Presentation = ProfileDocument | Variant
"""What one phone gets: content_type, body, sensitive, effective_by and the etag of just these."""
