"""What of a subscriber decides which presentation of a document he gets."""

from functools import lru_cache

import msgspec


class Audience(msgspec.Struct, frozen=True, gc=False):
    """One kind of subscriber: whoever has an equal one is shown the same."""

    accept: str | None = None
    """The Accept values as one list; None when the header was absent."""
    vendor: str | None = None
    """Of the Event header (RFC 6080 §6.2), as are `model` and `version`."""
    model: str | None = None
    version: str | None = None
    schemes: str | None = None
    """URI schemes that the device can fetch, from its Contact (RFC 6080 §6.8); None: http and https."""
    identified: bool = False
    """Whether it has shown who it is."""
    secure: bool = False
    """Whether it came over TLS."""

    @property
    def protected(self) -> bool:
        """Whether something sensitive may travel inline (RFC 6080 §5.2.1)."""
        return self.identified and self.secure


SHORT_AGENT = 128
"""Characters of a User-Agent that is likely to come again: phones of one kind say the same."""
EXTERNAL_BODY = "message/external-body"
"""The type of a body that says where the document is (RFC 4483)."""
audience_like = lru_cache(maxsize=4096)(Audience)
"""An Audience with these values: phones of one kind share one, which saves its bytes and makes comparing it cheap."""


def media_type(item: str) -> str:
    """Of an Accept or a Content-Type, without parameters and the white space that a SLASH may have (RFC 3261 §25.1)."""
    name, slash, rest = item.partition(";")[0].partition("/")
    return f"{name.strip()}{slash}{rest.strip()}".lower()


def without_pointers(audience: Audience) -> Audience:
    """The same that takes no pointers: it has refused one (415), whatever its Accept says."""
    taken = [one.strip() for one in (audience.accept or "").split(",")]
    kept = [one for one in taken if media_type(one) != EXTERNAL_BODY]
    if kept == taken:
        return audience
    return audience_like(
        ", ".join(kept), audience.vendor, audience.model, audience.version, audience.schemes, audience.identified,
        audience.secure,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def shared_text(text: str) -> str:
    """An equal text, which is one object for all that ask: a hundred bytes less for each of a million phones."""
    return text


def shared_agent(agent: str | None) -> str | None:
    """The same for a User-Agent that is likely to come again."""
    return agent if agent is None or len(agent) > SHORT_AGENT else shared_text(agent)
